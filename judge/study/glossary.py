"""What the figures of a study are called, what each of them counts, and how they were made."""

from __future__ import annotations

from collections.abc import Mapping

from judge.metrics import own_metrics
from judge.metrics.bootstrap import LEVEL
from judge.metrics.inconsistency import UNDECIDED
from judge.metrics.metric import Metric, MetricGroup
from judge.study.study import Study

METRICS: Mapping[str, Metric] = {
    metric.name: metric for metric in own_metrics() if metric.group is not MetricGroup.BEHIND
}
"""Our own metrics that have a column. What each counts stands in the file that computes it."""

# The tables, as the groups of metrics that are their columns.
AGREEMENT = (MetricGroup.CONSISTENCY, MetricGroup.AGREEMENT)
BIAS = (MetricGroup.LENGTH, MetricGroup.POSITION)
CHANCE = (MetricGroup.CHANCE,)
CALIBRATION = (MetricGroup.CALIBRATION,)
OTHER = (MetricGroup.OTHER,)


def columns_of(study: Study, *groups: MetricGroup) -> list[Metric]:
    """The metrics of these groups, ours before those of other packages.

    Undecided pairs have a column only where some judge left pairs undecided.
    """
    every = [*METRICS.values(), *study.others]
    if not any(UNDECIDED.name in standing.figures for standing in study.standings):
        every.remove(UNDECIDED)
    return [metric for group in groups for metric in every if metric.group is group]


def study_counts(study: Study) -> str:
    """What every figure stands on."""
    total, people = study.total, study.people
    return (
        f"{counted(total.n_pairs, 'pair')}, {counted(total.n_votes, 'vote')} "
        f"({total.n_votes - people.n_ties:,} for a side, {counted(people.n_ties, 'tie')}) by "
        f"{counted(people.n_voters, 'person', 'people')}, {counted(total.n_questions, 'question')}"
    )


def counted(n: int, one: str, many: str = "") -> str:
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def notes_of(study: Study) -> list[tuple[str, str]]:
    """How the figures were made, as (what, explanation)."""
    data = f"{study_counts(study)}. Every judge stands on the same pairs and votes."
    if study.n_left_out:
        data += (
            f" {counted(study.n_left_out, 'pair')} with a verdict left out: no vote on it, or no verdict of "
            "another judge."
        )
    if study.n_votes_left_out:
        data += f" {counted(study.n_votes_left_out, 'vote')} on other pairs left out."
    notes = [
        ("Data", data),
        (
            "Orders",
            "Every pair is read twice, A first and B first. A verdict is consistent where both readings have "
            "the same outcome.",
        ),
        (
            "Intervals",
            f"In brackets: {100 * LEVEL:.0f} % percentile intervals of a cluster bootstrap over the "
            f"{counted(study.total.n_questions, 'question')} ({study.n_draws:,} draws, seed {study.seed}). "
            "Votes on one question are not independent of each other, so questions are drawn, never votes. A "
            "share that is the same on every question, or that fewer than six questions are behind, has an "
            "interval that allows for questions not seen: of 0 and of 100 it is the exact binomial one over "
            "questions. Of what is no share there is none then.",
        ),
        (
            "People",
            "Each vote beside each other vote on the same pair, as if one person were the judge of the "
            "other, by the same convention. A yardstick, not a limit: a judge that says what most people "
            "say can stand above it. Votes of one person on one pair are not put beside each other.",
        ),
        (
            "Inconsistent",
            "Says nothing by itself: a coin that is a hash of the text has 0, and so has the longer answer. "
            "Read it beside the agreement.",
        ),
        (
            "Differences",
            "Paired: the same questions are drawn for both judges. Marked * where the interval excludes 0, "
            "which takes six questions or more in which they differ; not corrected for how many differences "
            "there are. McNemar's exact test, over pairs with a "
            "majority for A or B, takes pairs with one question for independent and so is too sure: trust "
            "the interval.",
        ),
    ]
    if study.by_category:
        fewest = min(counts.n_questions for counts in study.by_category.values())
        notes.append(
            (
                "Categories",
                f"As few as {counted(fewest, 'question')} in one. With few questions these intervals tend to "
                "be too narrow: a hint where to look, no test.",
            )
        )
    return notes

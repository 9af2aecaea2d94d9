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
    questions = f", {clusters_in_words(study, total.n_questions)}" if study.has_texts else ""
    return (
        f"{counted(total.n_pairs, 'pair')}, {counted(total.n_votes, 'vote')} "
        f"({total.n_votes - people.n_ties:,} for a side, {counted(people.n_ties, 'tie')}) by "
        f"{counted(people.n_voters, 'person', 'people')}{questions}"
    )


def cluster_of(study: Study) -> str:
    """What intervals are drawn over: without texts nothing tells which pairs share a question."""
    return "question" if study.has_texts else "pair"


def clusters_in_words(study: Study, n: int) -> str:
    """How many clusters, for example 80 questions."""
    return counted(n, cluster_of(study))


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
    one = cluster_of(study)
    without_texts = (
        ""
        if study.has_texts
        else " Without the pairs' texts nothing tells which pairs share a question: if some do, these "
        "intervals are too narrow. Give --pairs."
    )
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
            f"{clusters_in_words(study, study.total.n_questions)} ({study.n_draws:,} draws, seed "
            f"{study.seed}). Votes on one {one} are not independent of each other, so {one}s are drawn, "
            f"never votes. A share that is the same on every {one}, or that fewer than six {one}s are "
            f"behind, has an interval that allows for {one}s not seen: of 0 and of 100 it is the exact "
            f"binomial one over {one}s. Of what is no share there is none then. Below about 30 {one}s with "
            "several votes each intervals are too narrow: those of 95 % held in 91 % of trials with 20, in "
            "84 % with six."
            f"{without_texts}",
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
            f"Paired: the same {one}s are drawn for both judges. Marked * where the interval excludes 0, "
            f"which takes six {one}s or more in which they differ; not corrected for how many differences "
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
                f"As few as {clusters_in_words(study, fewest)} in one. With few {one}s these intervals tend "
                "to be too narrow: a hint where to look, no test.",
            )
        )
    return notes

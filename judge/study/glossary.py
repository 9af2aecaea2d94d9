"""How the figures of a study are called, what each of them counts, and how they were made."""

from __future__ import annotations

from dataclasses import dataclass

from judge.metrics.bootstrap import LEVEL
from judge.study.study import Study


@dataclass(frozen=True, slots=True)
class Metric:
    """How a figure is called and what it counts. A share is shown as percent, without the sign."""

    label: str
    meaning: str
    is_percent: bool = True


AGREEMENT = {
    "inconsistent": Metric(
        "Inconsistent",
        "pairs whose verdict changes when the two answers swap places, of the pairs read in both orders. A "
        "tie in one order only is a change.",
    ),
    "strict": Metric(
        "Strict",
        "the headline: votes that are no ties; both orders have to say what the vote says. A tie, an "
        "inconsistent or an unread pair is wrong.",
    ),
    "length_balanced": Metric(
        "Length balanced",
        "the mean of strict where people chose the longer answer and strict where they chose the shorter. "
        "Who looks at nothing but length gets 50.",
    ),
    "with_ties": Metric(
        "With ties",
        "all votes, three ways (A, B, tie); an inconsistent pair is a tie. S1 of Zheng et al. "
        "(arXiv:2306.05685).",
    ),
    "without_ties": Metric(
        "Without ties, at coverage",
        "votes where neither the person nor the judge says tie, and the share of the votes that are no ties "
        "on which this is counted. S2 of Zheng et al.; it leaves out what the judge flips on.",
    ),
    "half": Metric("Half", "as strict, but a tie or an inconsistent pair is half right."),
    "single_order": Metric("Single order", "votes that are no ties; each order by itself, the mean of both."),
    "by_mean": Metric(
        "By mean", "votes that are no ties; the side on which the mean probability of both orders lies."
    ),
}
BIAS = {
    "longer_chosen": Metric(
        "Longer chosen",
        "the answer with more characters wins, of the pairs decided for A or B; for people, of their votes "
        "that are no ties. A bias is what goes beyond people.",
    ),
    "strict_where_longer_is_right": Metric(
        "Strict, longer is right", "strict over the votes for the longer answer."
    ),
    "strict_where_shorter_is_right": Metric(
        "Strict, shorter is right", "strict over the votes for the shorter answer."
    ),
    "first_preference": Metric(
        "First twice", "both orders chose the first answer shown, of the inconsistent pairs."
    ),
    "second_preference": Metric(
        "Second twice", "both orders chose the second answer shown, of the inconsistent pairs."
    ),
    "any_tie": Metric(
        "No winner",
        "neither answer wins, of the pairs read in both orders; inconsistent ones are among them.",
    ),
    "unparsed": Metric("Unparsed", "one reply or both could not be read, of all pairs."),
}
KAPPA = {
    "cohen_kappa": Metric(
        "Cohen's kappa",
        "votes and verdicts as A, B or tie, beyond chance; an inconsistent pair is a tie, an unread one is "
        "left out.",
        is_percent=False,
    ),
    "cohen_kappa_without_ties": Metric(
        "Cohen's kappa, no ties", "the same over the votes where neither says tie.", is_percent=False
    ),
    "krippendorff_alpha": Metric(
        "Krippendorff's alpha", "people among themselves, on pairs with two votes or more.", is_percent=False
    ),
}
CALIBRATION = {
    "brier": Metric(
        "Brier score",
        "mean squared distance of P(A) from the vote, over votes that are no ties. 0 is best; always saying "
        "0.5 gets 0.25.",
        is_percent=False,
    ),
    "ece": Metric(
        "ECE",
        "expected calibration error: mean distance between confidence and the share right, over ten bins. 0 "
        "is best; few votes a bin push it up, and its interval more so.",
        is_percent=False,
    ),
}
METRICS = AGREEMENT | BIAS | KAPPA | CALIBRATION


def counts_in_words(study: Study) -> str:
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
    data = f"{counts_in_words(study)}. Every judge stands on the same pairs and votes."
    if study.n_left_out:
        data += (
            f" {counted(study.n_left_out, 'pair')} with a verdict left out: no vote on it, or no verdict of "
            "another judge."
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
            f"{counted(study.total.n_questions, 'question')} ({study.n_draws:,} draws, seed {study.seed}). "
            "Votes on one question are not independent of each other, so questions are drawn, never votes. A "
            "share that is 0 or 100 on every question has the exact binomial interval over questions.",
        ),
        (
            "People",
            "Each vote beside each other vote on the same pair, as if one person were the judge of the "
            "other, by the same convention. A yardstick, not a limit: a judge that says what most people "
            "say can stand above it.",
        ),
        (
            "Inconsistent",
            "Says nothing by itself: a coin that is a hash of the text has 0, and so has the longer answer. "
            "Read it beside the agreement.",
        ),
        (
            "Differences",
            "Paired: the same questions are drawn for both judges. Marked * where the interval excludes 0; "
            "not corrected for how many differences there are. McNemar's exact test, over pairs with a "
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

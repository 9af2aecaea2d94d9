"""Which pairs of a judge to show: where it disagrees with most people, and where it is inconsistent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from judge.io.pairs import pairs_by_id
from judge.metrics.panel import majorities, panel_of
from judge.orders import outcome_of
from judge.records import Choice, HumanVote, Order, Outcome, Pair, Status, Verdict
from judge.report.findings import OUTCOME_NAMES
from judge.report.summary import ReportRow
from judge.study.study import Entrant, EntrantKind

N_EXAMPLES = 8
SIDE_OF = {Outcome.A: 1, Outcome.B: -1}
WORTH = {Outcome.A: 1.0, Outcome.TIE: 0.5, Outcome.B: 0.0}


@dataclass(frozen=True, slots=True)
class ShownPair:
    """A pair with its verdict, and what people said of it in words."""

    row: ReportRow
    votes: str


@dataclass(frozen=True, slots=True)
class Gallery:
    """Examples of one judge, the most telling first, and how many there are in all."""

    judge: str
    disagreements: tuple[ShownPair, ...]
    n_disagreements: int
    flipped: tuple[ShownPair, ...]
    n_flipped: int


def galleries_of(
    entrants: Iterable[Entrant], votes: Sequence[HumanVote], pairs: Sequence[Pair], n: int = N_EXAMPLES
) -> list[Gallery]:
    """A gallery for each judge; released verdicts and baselines have no replies to show."""
    return [
        gallery_of(entrant.name, entrant.verdicts, votes, pairs, n)
        for entrant in entrants
        if entrant.kind is EntrantKind.JUDGE
    ]


def gallery_of(
    name: str,
    verdicts: Iterable[Verdict],
    votes: Sequence[HumanVote],
    pairs: Sequence[Pair],
    n: int = N_EXAMPLES,
) -> Gallery:
    """At most `n` disagreements, the surest first, and `n` flips, the strongest first; else by id.

    A disagreement is a consistent A or B where most people chose the other side. Pairs without a vote or
    without texts are left out. Raises InputError where two different pairs have one id.
    """
    by_id = pairs_by_id(pairs)
    cast: dict[str, list[HumanVote]] = {}
    for vote in votes:
        cast.setdefault(vote.pair_id, []).append(vote)
    rows = [
        ReportRow(one, by_id[one.pair_id]) for one in verdicts if one.pair_id in by_id and one.pair_id in cast
    ]
    ids = [row.id for row in rows]
    majority = dict(zip(ids, majorities(panel_of(ids, votes, None)).tolist(), strict=True))
    disagreements = [
        row
        for row in rows
        if row.status is Status.CONSISTENT
        and row.outcome in SIDE_OF
        and majority[row.id] == -SIDE_OF[row.outcome]
    ]
    flipped = [row for row in rows if row.status is Status.INCONSISTENT]
    disagreements.sort(key=lambda row: (-sureness(row), row.id))
    flipped.sort(key=lambda row: (-contradiction(row), row.id))

    def examples(chosen: Sequence[ReportRow]) -> tuple[ShownPair, ...]:
        return tuple(ShownPair(row, votes_in_words(cast[row.id])) for row in chosen[:n])

    return Gallery(name, examples(disagreements), len(disagreements), examples(flipped), len(flipped))


def sureness(row: ReportRow) -> float:
    """How far P(A) is from one half; 0 without probabilities."""
    return 0.0 if row.p_a is None else abs(row.p_a - 0.5)


def contradiction(row: ReportRow) -> float:
    """How far apart both orders put A, from 0 to 1: in probability, else in outcome, a tie in the middle."""
    in_ab, in_ba = (worth_of_a(row, order) for order in Order)
    return abs(in_ab - in_ba)


def worth_of_a(row: ReportRow, order: Order) -> float:
    p_a, choice = row.p_a_by_order[order], row.choices[order]
    if p_a is not None:
        return p_a
    return 0.5 if choice is None else WORTH[outcome_of(choice, order)]


def reading_in_full(row: ReportRow, order: Order) -> str:
    """What one order said: its outcome, and P(A) where there is one; or why it was not read."""
    shown, p_a, choice = f"{order[0]} shown first", row.p_a_by_order[order], row.choices[order]
    if choice is None:
        return f"{shown}: not read, {row.unparsed_reasons[order]}"
    outcome = OUTCOME_NAMES[outcome_of(choice, order)]
    said = f"{shown}: {'a tie' if choice is Choice.TIE else f'{outcome} is better'}"
    return said if p_a is None else f"{said}, P(A) {p_a:.2f}"


def votes_in_words(votes: Iterable[HumanVote]) -> str:
    """For example "3 for A, 1 tie"; what nobody said is left out."""
    counts = Counter(vote.outcome.outcome for vote in votes)
    n_ties = counts[Outcome.TIE]
    words = [f"{counts[side]} for {side}" for side in SIDE_OF if counts[side]]
    if n_ties:
        words.append(f"{n_ties} {'tie' if n_ties == 1 else 'ties'}")
    return ", ".join(words)

"""Verdicts of one judge -> `Report`: totals, groups by category, and one row per pair."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from judge.errors import InputError
from judge.io.labels import ballot_of
from judge.io.pairs import pairs_by_id
from judge.io.wording import some_of
from judge.orders import probability_of_a
from judge.records import (
    GOLD,
    NO_CATEGORY,
    Choice,
    Judgment,
    Order,
    Outcome,
    Pair,
    Share,
    Status,
    Unparsed,
    Verdict,
)
from judge.report.criteria import CriterionGroup, criteria_of


@dataclass(frozen=True, slots=True)
class ReportRow:
    """One pair with its verdict, and with its texts where the pairs were given."""

    verdict: Verdict
    pair: Pair | None = None

    @property
    def id(self) -> str:
        return self.verdict.pair_id

    @property
    def category(self) -> str | None:
        return (self.pair.category or None) if self.pair else None

    @property
    def status(self) -> Status:
        return self.verdict.status

    @property
    def outcome(self) -> Outcome | None:
        """The strict outcome: TIE where the orders disagree, None where one was not read."""
        return self.verdict.outcome

    @property
    def p_a(self) -> float | None:
        return self.verdict.p_a

    @property
    def outcome_by_mean(self) -> Outcome | None:
        return self.verdict.outcome_by_mean

    @property
    def choices(self) -> dict[Order, Choice | None]:
        """What each order chose of what it was shown; None where it was not read."""
        readings = self.verdict.readings
        return {o: r.choice if isinstance(r := readings[o], Judgment) else None for o in Order}

    @property
    def p_a_by_order(self) -> dict[Order, float | None]:
        """P(A is better) in each order; None if unread or without probabilities."""
        readings = self.verdict.readings
        return {o: probability_of_a(r, o) if isinstance(r := readings[o], Judgment) else None for o in Order}

    @property
    def unparsed_reasons(self) -> dict[Order, str]:
        readings = self.verdict.readings
        return {o: r.reason for o in Order if isinstance(r := readings[o], Unparsed)}

    @property
    def is_trimmed(self) -> bool:
        return any(reading.is_trimmed for reading in self.verdict.readings.values())

    @property
    def tokens_in(self) -> int:
        """Prompt tokens of both orders together."""
        return sum(reading.tokens_in for reading in self.verdict.readings.values())

    @property
    def tokens_out(self) -> int:
        return sum(reading.tokens_out for reading in self.verdict.readings.values())

    @property
    def gold(self) -> Outcome | None:
        """What the label in the pair's column `gold` says; None without one that is understood."""
        found = ballot_of(self.gold_label)
        return None if found is None else found.outcome

    @property
    def gold_label(self) -> object:
        """The label in the pair's column `gold` as it is spelled; None without one."""
        label = self.pair.metadata.get(GOLD) if self.pair else None
        return None if label == "" else label

    @property
    def is_right(self) -> bool:
        """Whether both orders gave the gold label. Inconsistent and undecided pairs are wrong."""
        return self.status is Status.CONSISTENT and not self.is_undecided and self.outcome is self.gold

    @property
    def is_undecided(self) -> bool:
        """Whether the judge's rule calls it too close to call."""
        return self.verdict.is_undecided

    def is_always(self, choice: Choice) -> bool:
        """Whether both orders made this same choice, so that the position decided."""
        return all(made is choice for made in self.choices.values())


@dataclass(frozen=True, slots=True)
class CategoryGroup:
    """Totals of some verdicts. *Judged* pairs are those that were read in both orders.

    Counted over judged pairs: `consistent`, `inconsistent`, `undecided` (too close to call by the judge's
    rule; `n_undecided_alone` of them are consistent), and `wins` by strict outcome (inconsistent and
    undecided pairs among the ties, and so are the `n_identical` ones, of two equal answers). Over judged
    pairs with probabilities: `wins_by_mean`. Over all pairs: `unparsed` and the mean tokens of a verdict,
    both orders added (None without pairs). `first_twice` is the share of the inconsistent pairs in which
    both orders chose the first response shown.

    `gold_strict` and `gold_by_mean` are shares of the pairs with a gold label; unparsed pairs are wrong in
    both, inconsistent and undecided ones in the strict. None if there is no label, or no probability to take
    a mean of.
    """

    n_pairs: int
    consistent: Share
    inconsistent: Share
    undecided: Share
    unparsed: Share
    wins: Mapping[Outcome, Share]
    wins_by_mean: Mapping[Outcome, Share]
    first_twice: Share
    mean_tokens_in: float | None
    mean_tokens_out: float | None
    n_trimmed: int
    n_identical: int
    n_undecided_alone: int
    gold_strict: Share | None
    gold_by_mean: Share | None


@dataclass(frozen=True, slots=True)
class Report:
    """All that the formats show. `judge` is None where there are no verdicts.

    `by_category` is in alphabetical order, and empty where no pair has a category. `by_criterion` is empty
    where no criteria were given. `skips_inconsistent`: inconsistent pairs are in no count of who wins.
    """

    judge: str | None
    elapsed_s: float | None
    total: CategoryGroup
    by_category: dict[str, CategoryGroup]
    rows: tuple[ReportRow, ...]
    by_criterion: dict[str, CriterionGroup] = field(default_factory=dict)
    skips_inconsistent: bool = False

    def wins_in(self, group: CategoryGroup) -> Mapping[Outcome, Share]:
        """Who wins how many of a group's judged pairs; the inconsistent are ties, or in none of them."""
        if not self.skips_inconsistent:
            return group.wins
        n = group.inconsistent.count
        return {
            outcome: Share(share.count - (n if outcome is Outcome.TIE else 0), share.total - n)
            for outcome, share in group.wins.items()
        }


def summarize(
    verdicts: Sequence[Verdict], pairs: Sequence[Pair] | None = None, elapsed_s: float | None = None
) -> Report:
    """The report of one judge's verdicts, with categories, gold labels and texts where pairs are given.

    Raises:
        InputError: verdicts of more than one judge, a verdict without its pair, two pairs with one id.
    """
    judges = sorted({verdict.judge for verdict in verdicts})
    if len(judges) > 1:
        raise InputError(
            f"verdicts of {len(judges)} judges: {some_of(judges)}. A report is about one judge: "
            "split the file and make one for each."
        )
    rows = (
        tuple(ReportRow(verdict) for verdict in verdicts) if pairs is None else report_rows(verdicts, pairs)
    )
    has_mean = gives_all_probabilities(rows)
    return Report(
        judge=judges[0] if judges else None,
        elapsed_s=elapsed_s,
        total=group_of(rows, has_mean),
        by_category=groups_by_category(rows, has_mean),
        rows=rows,
        by_criterion=criteria_of(verdicts),
    )


def gives_probabilities(rows: Iterable[ReportRow]) -> bool:
    """Whether the judge says how sure it is. Equal answers, which nobody asks about, do not show it."""
    return any(
        p is not None for row in rows if not row.verdict.is_identical for p in row.p_a_by_order.values()
    )


def gives_all_probabilities(rows: Sequence[ReportRow]) -> bool:
    """Whether every pair that was asked about and read has one, so that there are figures by the mean."""
    asked = [row for row in rows if not row.verdict.is_identical and row.status is not Status.UNPARSED]
    return gives_probabilities(rows) and all(row.p_a is not None for row in asked)


def report_rows(verdicts: Sequence[Verdict], pairs: Sequence[Pair]) -> tuple[ReportRow, ...]:
    """Each verdict with its pair, matched by id, in the order of the verdicts."""
    by_id = pairs_by_id(pairs)
    missing = [verdict.pair_id for verdict in verdicts if verdict.pair_id not in by_id]
    if missing:
        raise InputError(
            f"{len(missing)} of {len(verdicts)} verdicts have no pair: {some_of(missing)}. "
            "Give the pairs that were judged, with the same ids."
        )
    return tuple(ReportRow(verdict, by_id[verdict.pair_id]) for verdict in verdicts)


def groups_by_category(rows: Sequence[ReportRow], has_mean: bool) -> dict[str, CategoryGroup]:
    if all(row.category is None for row in rows):
        return {}
    members: dict[str, list[ReportRow]] = {}
    for row in rows:
        members.setdefault(row.category or NO_CATEGORY, []).append(row)
    return {category: group_of(members[category], has_mean) for category in sorted(members)}


def group_of(rows: Sequence[ReportRow], has_mean: bool) -> CategoryGroup:
    """The totals; none by mean where the judge does not give a probability on every pair that it read."""
    judged = [row for row in rows if row.status is not Status.UNPARSED]
    inconsistent = [row for row in judged if row.status is Status.INCONSISTENT]
    with_mean = [row for row in judged if has_mean and row.p_a is not None]
    with_gold = [row for row in rows if row.gold is not None]
    return CategoryGroup(
        n_pairs=len(rows),
        consistent=Share(len(judged) - len(inconsistent), len(judged)),
        inconsistent=Share(len(inconsistent), len(judged)),
        undecided=share_of(judged, lambda row: row.is_undecided),
        unparsed=Share(len(rows) - len(judged), len(rows)),
        wins=shares_of_outcomes([row.outcome for row in judged]),
        wins_by_mean=shares_of_outcomes([row.outcome_by_mean for row in with_mean]),
        first_twice=share_of(inconsistent, lambda row: row.is_always(Choice.FIRST)),
        mean_tokens_in=sum(row.tokens_in for row in rows) / len(rows) if rows else None,
        mean_tokens_out=sum(row.tokens_out for row in rows) / len(rows) if rows else None,
        n_trimmed=sum(row.is_trimmed for row in rows),
        n_identical=sum(row.verdict.is_identical for row in rows),
        n_undecided_alone=sum(row.is_undecided and row.status is Status.CONSISTENT for row in judged),
        gold_strict=share_of(with_gold, lambda row: row.is_right) if with_gold else None,
        gold_by_mean=share_of(with_gold, lambda row: row.outcome_by_mean is row.gold)
        if has_mean and any(row.p_a is not None for row in with_gold)
        else None,
    )


def share_of(rows: Sequence[ReportRow], is_counted: Callable[[ReportRow], bool]) -> Share:
    return Share(sum(is_counted(row) for row in rows), len(rows))


def shares_of_outcomes(outcomes: Sequence[Outcome | None]) -> dict[Outcome, Share]:
    return {outcome: Share(outcomes.count(outcome), len(outcomes)) for outcome in Outcome}

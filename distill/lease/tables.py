"""What is said of judges on pairs with labels, in plain numbers, while a lease runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from judge.records import Ballot, HumanVote, Outcome, Pair, Status, Verdict


def labels_of(pairs: Sequence[Pair], votes: Sequence[HumanVote]) -> list[int]:
    """1 where most votes on the pair say a, -1 where they say b, 0 where they are even."""
    sums: dict[str, int] = {}
    for vote in votes:
        worth = {Ballot.A: 1, Ballot.B: -1}.get(vote.outcome, 0)
        sums[vote.pair_id] = sums.get(vote.pair_id, 0) + worth
    signs = (sums.get(pair.id, 0) for pair in pairs)
    return [(sign > 0) - (sign < 0) for sign in signs]


def standing(pairs: Sequence[Pair], labels: Sequence[int], verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """Shares of the pairs with a label that is no tie: quick figures, a pair once; see `judge bench`."""
    rows = [(p, y, v) for p, y, v in zip(pairs, labels, verdicts, strict=True) if y]
    side = {Outcome.A: 1, Outcome.B: -1, Outcome.TIE: 0, None: 0}
    is_right = [v.status is Status.CONSISTENT and side[v.outcome] == y for _, y, v in rows]
    by_mean = [side[v.outcome_by_mean] == y for _, y, v in rows]
    longer = [side[p.longer] == y for p, y, _ in rows]
    decided = [(side[p.longer], side[v.outcome_by_mean]) for p, _, v in rows if side[p.longer]]
    return {
        "n": len(rows),
        "strict": share(is_right),
        "where_longer_right": share([r for r, is_longer in zip(is_right, longer, strict=True) if is_longer]),
        "where_shorter_right": share(
            [r for r, (p, y, _) in zip(is_right, rows, strict=True) if side[p.longer] == -y]
        ),
        "by_mean": share(by_mean),
        "inconsistent": share([v.status is Status.INCONSISTENT for *_, v in rows]),
        "unparsed": share([v.status is Status.UNPARSED for *_, v in rows]),
        "longer_chosen": share([one == other for one, other in decided]),
        "longer_right": share(longer),
    }


def share(those: Sequence[bool]) -> float | None:
    """The share in percent; None of nothing."""
    return round(100 * sum(those) / len(those), 1) if those else None


def line(name: str, figures: dict[str, Any]) -> str:
    """The figures of one judge in one line."""
    return f"{name:42}" + " ".join(f"{key} {value}" for key, value in figures.items())

"""Votes and verdicts as arrays: the `Panel` of votes, the `Sides` a judge took, and both vote by vote.

A side is +1 where A is better, -1 where B is, 0 for a tie, and UNREAD for no answer, which equals no vote.
A *question* is what the votes cluster by: the first user message of a pair, or the pair itself without texts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from judge.errors import InputError
from judge.io.pairs import pairs_by_id
from judge.io.wording import some_of
from judge.metrics.bootstrap import Floats, Measure, ratio, sums_by_cluster
from judge.orders import outcome_of
from judge.records import Choice, HumanVote, Judgment, Order, Outcome, Pair, Status, Verdict

Ints = NDArray[np.intp]
Bools = NDArray[np.bool_]

UNREAD = 2
SIDE_OF = {Outcome.A: 1, Outcome.B: -1, Outcome.TIE: 0, None: UNREAD}


@dataclass(frozen=True, slots=True)
class Panel:
    """People's votes on pairs. Arrays "per pair" have shape (n_pairs,), arrays "per vote" shape (n_votes,).

    `longer` is the side of the longer response in characters, per pair; None without texts. `question` counts
    from 0, per pair; `voted_pair` is the pair's place, `voted` the side and `voter` a number, all per vote.
    """

    pair_ids: tuple[str, ...]
    question: Ints
    n_questions: int
    longer: Ints | None
    voted_pair: Ints
    voted: Ints
    voter: Ints


@dataclass(frozen=True, slots=True)
class Sides:
    """A judge's verdicts on the pairs of a panel, in the panel's order; arrays of shape (n_pairs,).

    `strict` is the side in both orders, a tie where they disagree. `by_order` has shape (n_pairs, 2), in the
    order of `Order`, None where no single reading is known. `by_mean` is None unless every pair that was read
    has a probability, and UNREAD where one was not read; `p_a` is None where no pair has one, else NaN for
    those without. `first_twice` and `second_twice` say that both orders chose that position, `is_undecided`
    that the judge calls it too close, a tie.
    """

    strict: Ints
    is_inconsistent: Bools
    is_undecided: Bools
    by_order: Ints | None
    by_mean: Ints | None
    p_a: Floats | None
    first_twice: Bools | None
    second_twice: Bools | None


@dataclass(frozen=True, slots=True)
class VoteRows:
    """What a person said beside what a judge said of the same pair, one row per vote: shape (n_rows,).

    The judge may be a person too. `longer`, `by_order` (n_rows, 2), `by_mean` and `p_a` as above.
    """

    voted: Ints
    judged: Ints
    question: Ints
    n_questions: int
    longer: Ints | None = None
    by_order: Ints | None = None
    by_mean: Ints | None = None
    p_a: Floats | None = None


def panel_of(pair_ids: Sequence[str], votes: Iterable[HumanVote], pairs: Sequence[Pair] | None) -> Panel:
    """The votes on these pairs; votes on others are left out. Without `pairs`, no lengths or questions.

    Raises:
        InputError: two pairs with one id, or an id without its pair.
    """
    place = {id: number for number, id in enumerate(pair_ids)}
    if len(place) < len(pair_ids):
        raise InputError(f"two pairs have one id: {some_of(_repeated(pair_ids))}. Give each its own.")
    texts = None if pairs is None else in_order(pair_ids, pairs)
    on_these = [vote for vote in votes if vote.pair_id in place]
    questions = pair_ids if texts is None else [pair.question for pair in texts]
    question, n_questions = _numbered(questions)
    return Panel(
        pair_ids=tuple(pair_ids),
        question=question,
        n_questions=n_questions,
        longer=None if texts is None else _ints(SIDE_OF[pair.longer] for pair in texts),
        voted_pair=_ints(place[vote.pair_id] for vote in on_these),
        voted=_ints(SIDE_OF[vote.outcome.outcome] for vote in on_these),
        voter=_numbered([vote.voter for vote in on_these])[0],
    )


def part_of(panel: Panel, keep: Bools) -> Panel:
    """The panel of some of its pairs, given as an array of shape (n_pairs,); questions are renumbered."""
    place = np.cumsum(keep) - 1
    is_kept = keep[panel.voted_pair]
    question, n_questions = _numbered(panel.question[keep].tolist())
    return Panel(
        pair_ids=tuple(id for id, is_in in zip(panel.pair_ids, keep, strict=True) if is_in),
        question=question,
        n_questions=n_questions,
        longer=None if panel.longer is None else panel.longer[keep],
        voted_pair=place[panel.voted_pair[is_kept]],
        voted=panel.voted[is_kept],
        voter=panel.voter[is_kept],
    )


def sides_of(verdicts: Iterable[Verdict], panel: Panel) -> Sides:
    """The sides a judge took.

    Raises:
        InputError: a pair of the panel has no verdict, or a pair has two.
    """
    by_id = verdicts_by_id(verdicts)
    if missing := [id for id in panel.pair_ids if id not in by_id]:
        raise InputError(
            f"{len(missing)} of {len(panel.pair_ids)} pairs have no verdict: {some_of(missing)}."
        )
    given = [by_id[id] for id in panel.pair_ids]
    has_readings = bool(given) and all(verdict.readings for verdict in given)
    # Equal answers are a tie by every method; whether it gives probabilities is told by the others.
    asked = [verdict for verdict in given if not verdict.is_identical]
    has_p_a = any(verdict.p_a is not None for verdict in asked)
    has_mean = has_p_a and all(one.p_a is not None for one in asked if one.status is not Status.UNPARSED)
    choices = [_choices(verdict) for verdict in given] if has_readings else []
    return Sides(
        strict=_ints(SIDE_OF[verdict.outcome] for verdict in given),
        is_inconsistent=_bools(verdict.status is Status.INCONSISTENT for verdict in given),
        is_undecided=_bools(verdict.is_undecided for verdict in given),
        by_order=np.array([_sides_by_order(made) for made in choices], np.intp) if has_readings else None,
        by_mean=_ints(SIDE_OF[verdict.outcome_by_mean] for verdict in given) if has_mean else None,
        p_a=np.array([np.nan if v.p_a is None else v.p_a for v in given]) if has_p_a else None,
        first_twice=_bools(made == (Choice.FIRST,) * 2 for made in choices) if has_readings else None,
        second_twice=_bools(made == (Choice.SECOND,) * 2 for made in choices) if has_readings else None,
    )


def verdicts_by_id(verdicts: Iterable[Verdict]) -> dict[str, Verdict]:
    """One judge's verdicts by the ids of their pairs. Raises InputError where a pair has two."""
    given = list(verdicts)
    by_id = {verdict.pair_id: verdict for verdict in given}
    if len(by_id) < len(given):
        twice = _repeated(verdict.pair_id for verdict in given)
        raise InputError(f"pairs have two verdicts of one judge: {some_of(twice)}. Give one for each pair.")
    return by_id


def sides_in_part(sides: Sides, keep: Bools) -> Sides:
    """The sides on some of the pairs, given as an array of shape (n_pairs,)."""
    arrays = {name: getattr(sides, name) for name in Sides.__slots__}
    kept: dict[str, Any] = {name: None if array is None else array[keep] for name, array in arrays.items()}
    return Sides(**kept)


def with_judge(panel: Panel, sides: Sides) -> VoteRows:
    """Every vote beside the judge's side on that pair."""
    at = panel.voted_pair
    return VoteRows(
        voted=panel.voted,
        judged=sides.strict[at],
        question=panel.question[at],
        n_questions=panel.n_questions,
        longer=None if panel.longer is None else panel.longer[at],
        by_order=None if sides.by_order is None else sides.by_order[at],
        by_mean=None if sides.by_mean is None else sides.by_mean[at],
        p_a=None if sides.p_a is None else sides.p_a[at],
    )


def with_each_other(panel: Panel) -> VoteRows:
    """Every vote beside every other person's on the same pair, both ways round: people as judge of people."""
    votes_on: dict[int, list[int]] = {}
    for number, pair in enumerate(panel.voted_pair.tolist()):
        votes_on.setdefault(pair, []).append(number)
    both = [two for numbers in votes_on.values() for two in permutations(numbers, 2)]
    here, there = np.array(both, np.intp).reshape(-1, 2).T
    is_other = panel.voter[here] != panel.voter[there]
    here, there = here[is_other], there[is_other]
    return VoteRows(
        voted=panel.voted[here],
        judged=panel.voted[there],
        question=panel.question[panel.voted_pair[here]],
        n_questions=panel.n_questions,
        longer=None if panel.longer is None else panel.longer[panel.voted_pair[here]],
    )


def votes_alone(panel: Panel) -> VoteRows:
    """Every vote once, beside itself."""
    return VoteRows(
        voted=panel.voted,
        judged=panel.voted,
        question=panel.question[panel.voted_pair],
        n_questions=panel.n_questions,
        longer=None if panel.longer is None else panel.longer[panel.voted_pair],
    )


def majorities(panel: Panel) -> Ints:
    """The side most people took, per pair; a tie if no side has the most, UNREAD without votes."""
    counts = np.zeros((len(panel.pair_ids), 3), np.intp)
    np.add.at(counts, (panel.voted_pair, panel.voted), 1)  # columns 0, 1, -1: tie, A, B
    most = counts.max(axis=1)
    is_clear = (counts == most[:, None]).sum(axis=1) == 1
    side = np.array([0, 1, -1])[counts.argmax(axis=1)]
    return np.where(most == 0, UNREAD, np.where(is_clear, side, 0))


def share(over: Panel | VoteRows, is_counted: Bools, is_right: Any) -> Measure:
    """The share of the counted pairs (of a panel) or votes (of a comparison) that are right.

    `is_right` may give part of one. Both have shape (n_pairs,) or (n_rows,).
    """
    sums = sums_by_cluster([is_right * is_counted, is_counted], over.question, over.n_questions)
    return Measure(sums, ratio, int(is_counted.sum()))


def decided(sides: Ints) -> Bools:
    """Where the side is A or B."""
    return np.equal(np.abs(sides), 1)


def _choices(verdict: Verdict) -> tuple[Choice | None, Choice | None]:
    in_ab, in_ba = (verdict.readings[order] for order in Order)
    return (
        in_ab.choice if isinstance(in_ab, Judgment) else None,
        in_ba.choice if isinstance(in_ba, Judgment) else None,
    )


def _sides_by_order(choices: tuple[Choice | None, Choice | None]) -> list[int]:
    return [
        UNREAD if choice is None else SIDE_OF[outcome_of(choice, order)]
        for choice, order in zip(choices, Order, strict=True)
    ]


def in_order(pair_ids: Sequence[str], pairs: Sequence[Pair]) -> list[Pair]:
    """The pairs with these ids. Raises InputError for ids without a pair, or with two different ones."""
    by_id = pairs_by_id(pairs)
    if missing := [id for id in pair_ids if id not in by_id]:
        raise InputError(f"{len(missing)} of {len(pair_ids)} pairs are not given: {some_of(missing)}.")
    return [by_id[id] for id in pair_ids]


def _numbered(labels: Sequence[Hashable]) -> tuple[Ints, int]:
    """Each label's number, from 0 in the order of first appearance, and how many there are."""
    numbers: dict[Hashable, int] = {}
    return _ints(numbers.setdefault(label, len(numbers)) for label in labels), len(numbers)


def _repeated(names: Iterable[str]) -> list[str]:
    return [name for name, n in Counter(names).items() if n > 1]


def _ints(values: Iterable[int]) -> Ints:
    return np.fromiter(values, np.intp)


def _bools(values: Iterable[bool]) -> Bools:
    return np.fromiter(values, np.bool_)

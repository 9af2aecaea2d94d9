"""Votes, judges and both vote by vote in short form, and the real ones: what tests of metrics share.

Sides are written as letters: A, B, = for a tie, ? for no answer, and for the two ways to be inconsistent by
position F (both orders chose the first shown) and S (both chose the second), ! for any other.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from hypothesis import strategies as st

from judge.metrics.bootstrap import Measure
from judge.metrics.panel import UNREAD, Panel, Sides, VoteRows, panel_of
from judge.records import Ballot, HumanVote, Message, Outcome, Pair, Status, Verdict

SIDE = {"A": 1, "B": -1, "=": 0, "?": UNREAD, "F": 0, "S": 0, "!": 0}


def sides_in(letters: str) -> np.ndarray:
    return np.array([SIDE[letter] for letter in letters], np.intp)


def rows(voted: str, judged: str, question: Sequence[int] | None = None, **fields) -> VoteRows:
    """A row for each two letters, each its own question unless given."""
    numbers = np.array(range(len(voted)) if question is None else question, np.intp)
    arrays = {name: sides_in(field) if isinstance(field, str) else field for name, field in fields.items()}
    n_questions = int(numbers.max(initial=-1)) + 1
    return VoteRows(sides_in(voted), sides_in(judged), numbers, n_questions, **arrays)


def panel(votes: Sequence[str], longer: str | None = None, question: Sequence[int] | None = None) -> Panel:
    """A pair for each string, with a vote for each letter in it; the first voter votes first everywhere."""
    numbers = np.array(range(len(votes)) if question is None else question, np.intp)
    return Panel(
        pair_ids=tuple(f"p{number}" for number in range(len(votes))),
        question=numbers,
        n_questions=int(numbers.max(initial=-1)) + 1,
        longer=None if longer is None else sides_in(longer),
        voted_pair=np.array([number for number, letters in enumerate(votes) for _ in letters], np.intp),
        voted=sides_in("".join(votes)),
        voter=np.array([voter for letters in votes for voter in range(len(letters))], np.intp),
    )


def judge(letters: str, has_readings: bool = True, p_a: Sequence[float] | None = None) -> Sides:
    """The sides of a judge, a letter a pair. Without readings the positions it chose are not known."""
    written = np.array(list(letters))
    mean = None if p_a is None else np.array(p_a, float)
    return Sides(
        strict=sides_in(letters),
        is_inconsistent=np.isin(written, ["F", "S", "!"]),
        is_undecided=np.zeros(len(written), bool),
        by_order=np.array([by_order(letter) for letter in letters], np.intp) if has_readings else None,
        by_mean=None
        if mean is None
        else np.where(np.isnan(mean), UNREAD, np.sign(mean - 0.5)).astype(np.intp),
        p_a=mean,
        first_twice=written == "F" if has_readings else None,
        second_twice=written == "S" if has_readings else None,
    )


def by_order(letter: str) -> tuple[int, int]:
    """The side of each order: a judge that is inconsistent for another reason says A, then tie."""
    return {"F": (1, -1), "S": (-1, 1), "!": (1, 0)}.get(letter, (SIDE[letter],) * 2)


def value(measure: Measure | None) -> float:
    """The figure itself; NaN where it does not exist."""
    assert measure is not None
    return float(measure.statistic(measure.sums.sum(axis=0)))


@st.composite
def comparisons(draw: st.DrawFn) -> VoteRows:
    """Votes beside verdicts of a judge that gives everything: 1 to 30 rows in up to 5 questions."""
    n = draw(st.integers(1, 30))

    def letters(allowed: str) -> str:
        return "".join(draw(st.lists(st.sampled_from(allowed), min_size=n, max_size=n)))

    judged = judge(letters("AB=?FS!"), p_a=draw(st.lists(MEANS, min_size=n, max_size=n)))
    return replace(
        rows(letters("AB="), "=" * n, draw(st.lists(st.integers(0, 4), min_size=n, max_size=n))),
        judged=judged.strict,
        longer=sides_in(letters("AB=")),
        by_order=judged.by_order,
        by_mean=judged.by_mean,
        p_a=judged.p_a,
    )


MEANS = st.just(np.nan) | st.just(0.5) | st.integers(0, 1000).map(lambda thousandths: thousandths / 1000)


def renamed(of: VoteRows) -> VoteRows:
    """The same with a called b and b called a in every pair."""
    return replace(
        of,
        voted=other(of.voted),
        judged=other(of.judged),
        longer=None if of.longer is None else other(of.longer),
        by_order=None if of.by_order is None else other(of.by_order)[:, ::-1],
        by_mean=None if of.by_mean is None else other(of.by_mean),
        p_a=None if of.p_a is None else 1 - of.p_a,
    )


def other(sides: np.ndarray) -> np.ndarray:
    return np.where(sides == UNREAD, UNREAD, -sides)


def doubled(of: VoteRows) -> VoteRows:
    """The same with every vote given twice."""
    arrays = {name: getattr(of, name) for name in VoteRows.__slots__ if name != "n_questions"}
    return replace(
        of, **{n: None if array is None else np.concatenate([array, array]) for n, array in arrays.items()}
    )


def mt_bench(
    data_dir: Path, name: str, turns: Sequence[int], only: str = ""
) -> tuple[list[HumanVote], list[Pair]]:
    """The votes in one of MT-bench's files and their pairs; a is the model that is first in the alphabet."""
    votes, pairs = [], {}
    with gzip.open(data_dir / "mt_bench_human_judgments" / name, "rt", encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            if row["turn"] in turns and row["judge"].startswith(only):
                vote, pair = vote_and_pair(row)
                votes.append(vote)
                pairs[pair.id] = pair
    return votes, list(pairs.values())


def vote_and_pair(row: dict) -> tuple[HumanVote, Pair]:
    side_a, side_b = sorted("ab", key=lambda side: row[f"model_{side}"])
    one, two = row[f"model_{side_a}"], row[f"model_{side_b}"]
    id = f"{row['question_id']}/{one}/{two}/{row['turn']}"
    ballot = {f"model_{side_a}": Ballot.A, f"model_{side_b}": Ballot.B}.get(row["winner"], Ballot.TIE)
    texts = [
        tuple(
            Message(said["role"], said["content"]) for said in row[f"conversation_{side}"][: 2 * row["turn"]]
        )
        for side in (side_a, side_b)
    ]
    vote = HumanVote(id, row["judge"], ballot, row["turn"], None, one, two, note=row["winner"])
    return vote, Pair(id, *texts)


def mt_bench_panel(data_dir: Path, turns: Sequence[int] = (1,), only: str = "expert_") -> Panel:
    votes, pairs = mt_bench(data_dir, "human.jsonl.gz", turns, only)
    return panel_of([pair.id for pair in pairs], votes, pairs)


def gpt4(data_dir: Path, turns: Sequence[int] = (1,)) -> list[Verdict]:
    """GPT-4's released verdicts on the same pairs."""
    return [
        Verdict(
            pair_id=vote.pair_id,
            status=Status.INCONSISTENT if vote.note == "tie (inconsistent)" else Status.CONSISTENT,
            outcome=Outcome(vote.outcome.outcome),
            p_a=None,
            outcome_by_mean=None,
            readings={},
            judge="gpt-4",
        )
        for vote in mt_bench(data_dir, "gpt4_pair.jsonl.gz", turns)[0]
    ]

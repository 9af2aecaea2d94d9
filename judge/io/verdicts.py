"""Verdicts as files: to JSONL, and from JSON. The way in checks types, names and ranges, line by line."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from judge.io.criteria import MAX_WEIGHT
from judge.io.rows import (
    JSON_READERS,
    Wrong,
    claim,
    gather,
    kind_of,
    placed,
    rows_of,
    shown,
    write_json_lines,
)
from judge.io.values import keyed, named, probability, text, token_count
from judge.orders import combine, outcome_by_probability
from judge.records import Choice, Cut, Judgment, Order, Outcome, Reading, Status, Step, Unparsed, Verdict

VERDICT_KEYS = ("pair_id", "status", "outcome", "p_a", "outcome_by_mean", "orders", "judge")
UNDECIDED = "undecided"
"""The key that an undecided verdict has beside these."""

JUDGMENT_KEYS = ("choice", "probabilities", "raw", "tokens_in", "tokens_out", "trimmed")
UNPARSED_KEYS = ("unparsed", "raw", "tokens_in", "tokens_out", "trimmed")
READING_EXTRAS = ("cut", "steps")
"""The keys that a reading has beside these, where there is something to say."""

CUT_KEYS = ("read", "whole")
STEP_KEYS = ("name", "raw", "tokens_in", "tokens_out", "scores", "shared")


def read_verdicts(path: str | Path) -> list[Verdict]:
    """The verdicts of a file of JSON, in its order; "-" is standard input. A file may be empty.

    Types, names and ranges are checked, and that a verdict says what its two readings say.

    Raises:
        BadLines: some lines are not verdicts, or repeat the pair and the judge of an earlier one.
        InputError: the file as a whole cannot be read.
    """
    first_with_pair: dict[Hashable, str] = {}

    def verdict_of(cells: Mapping[str, Any], where: str) -> Verdict:
        verdict = verdict_from_cells(cells)
        claim_verdict(cells, where, first_with_pair)
        return verdict

    return gather(rows_of(path, JSON_READERS), verdict_of)


def write_verdicts(path: str | Path, verdicts: Iterable[Verdict]) -> None:
    """Writes verdicts as JSONL, whole or not at all; "-" is standard output. Equal verdicts, equal bytes.

    Raises:
        BadLines: some repeat the pair and the judge of an earlier one, so that no file could be read again.
        InputError: the file cannot be written.
    """
    rows = [verdict_to_json(verdict) for verdict in verdicts]
    first_with_pair: dict[Hashable, str] = {}
    gather(placed(rows, "verdict"), lambda cells, where: claim_verdict(cells, where, first_with_pair))
    write_json_lines(path, rows)


def claim_verdict(cells: Mapping[str, Any], where: str, first_with_pair: dict[Hashable, str]) -> None:
    """Raises Wrong where an earlier verdict is of this pair and judge."""
    claim(first_with_pair, (cells["pair_id"], cells["judge"]), where, f"pair {shown(cells['pair_id'])}")


def verdict_to_json(verdict: Verdict) -> dict[str, Any]:
    """The verdict as plain JSON values, with its keys in their fixed order."""
    return {
        "pair_id": verdict.pair_id,
        "status": verdict.status.value,
        "outcome": None if verdict.outcome is None else verdict.outcome.value,
        "p_a": None if verdict.p_a is None else float(verdict.p_a),
        "outcome_by_mean": None if verdict.outcome_by_mean is None else verdict.outcome_by_mean.value,
        "orders": {order.value: reading_to_json(verdict.readings[order]) for order in Order},
        "judge": verdict.judge,
        **({UNDECIDED: True} if verdict.is_undecided else {}),
    }


def reading_to_json(reading: Reading) -> dict[str, Any]:
    """One order's reading; an unreadable one has "unparsed", its reason, in the place of a choice."""
    rest: dict[str, Any] = {
        "raw": reading.raw,
        "tokens_in": reading.tokens_in,
        "tokens_out": reading.tokens_out,
        "trimmed": reading.is_trimmed,
    }
    if reading.cut is not None:
        rest["cut"] = cut_to_json(reading.cut)
    if reading.steps:
        rest["steps"] = [step_to_json(step) for step in reading.steps]
    if isinstance(reading, Unparsed):
        return {"unparsed": reading.reason, **rest}
    probabilities = None
    if (p := reading.probabilities) is not None:
        probabilities = {choice.value: float(p[choice]) for choice in Choice if choice in p}
    return {"choice": reading.choice.value, "probabilities": probabilities, **rest}


def cut_to_json(cut: Cut) -> dict[str, int]:
    """How much was read of a prompt whose answers were shortened."""
    return {"read": cut.read, "whole": cut.whole}


def step_to_json(step: Step) -> dict[str, Any]:
    """A step with its keys in their fixed order; a weight of 1 is left out."""
    values = asdict(step) | {"scores": None if step.scores is None else list(step.scores)}
    if step.weight == 1:
        del values["weight"]
    return values


def verdict_from_cells(obj: Any) -> Verdict:
    """The verdict of one JSON value."""
    is_undecided = isinstance(obj, Mapping) and UNDECIDED in obj
    keyed(obj, (*VERDICT_KEYS, UNDECIDED) if is_undecided else VERDICT_KEYS, "a verdict")
    if is_undecided and obj[UNDECIDED] is not True:
        raise Wrong(f"{UNDECIDED} is {shown(obj[UNDECIDED])}. It must be true, or left out.")
    orders = keyed(obj["orders"], tuple(Order), "orders")
    if not text(obj["pair_id"], "pair_id"):
        raise Wrong("pair_id is empty. It must be the id of a pair.")
    verdict = Verdict(
        pair_id=obj["pair_id"],
        status=named(obj["status"], Status, "status"),
        outcome=optional_outcome(obj, "outcome"),
        p_a=None if obj["p_a"] is None else probability(obj["p_a"], "p_a"),
        outcome_by_mean=optional_outcome(obj, "outcome_by_mean"),
        readings={order: reading_from_json(orders[order], order) for order in Order},
        judge=text(obj["judge"], "judge"),
        is_undecided=is_undecided,
    )
    refuse_contradiction(verdict)
    return verdict


def refuse_contradiction(verdict: Verdict) -> None:
    """Raises what is wrong where a verdict says anything else than its readings; p_a may be calibrated."""
    read = combine(verdict.pair_id, verdict.readings, verdict.judge)
    side = None if verdict.p_a is None else outcome_by_probability(verdict.p_a)
    if verdict.is_undecided:
        read, side = replace(read, outcome=Outcome.TIE), Outcome.TIE
    if verdict.p_a is None and read.p_a is not None:
        raise Wrong("p_a is null, and both orders have probabilities. It must be a number from 0 to 1.")
    if verdict.p_a is not None and read.p_a is None:
        raise Wrong(f"p_a is {shown(verdict.p_a)}, and not both orders have probabilities. It must be null.")
    for name, said, right in (
        ("status", verdict.status, read.status),
        ("outcome", verdict.outcome, read.outcome),
        ("outcome_by_mean", verdict.outcome_by_mean, side),
    ):
        if said is not right:
            of = "p_a" if name == "outcome_by_mean" else "its orders"
            raise Wrong(f"{name} is {word_of(said)}. By {of} it must be {word_of(right)}.")


def word_of(value: Status | Outcome | None) -> str:
    """What stands in the file for it."""
    return "null" if value is None else repr(value.value)


def reading_from_json(obj: Any, order: Order) -> Reading:
    """One order's reading; "steps" may be left out, and "cut" where nothing is known of it."""
    is_unparsed = isinstance(obj, dict) and "unparsed" in obj
    keys = UNPARSED_KEYS if is_unparsed else JUDGMENT_KEYS
    more = [key for key in READING_EXTRAS if isinstance(obj, dict) and key in obj]
    keyed(obj, (*keys, *more), order)
    raw = text(obj["raw"], f"{order}, raw")
    tokens_in, tokens_out = (token_count(obj[key], f"{order}, {key}") for key in ("tokens_in", "tokens_out"))
    is_trimmed = obj["trimmed"]
    if not isinstance(is_trimmed, bool):
        raise Wrong(f"{order}, trimmed is {kind_of(is_trimmed)}. It must be true or false.")
    cut = cut_of(obj["cut"], is_trimmed, f"{order}, cut") if "cut" in obj else None
    steps = steps_of(obj.get("steps", []), f"{order}, steps")
    rest = (raw, tokens_in, tokens_out, is_trimmed, steps, cut)
    if is_unparsed:
        return Unparsed(text(obj["unparsed"], f"{order}, unparsed"), *rest)
    choice = named(obj["choice"], Choice, f"{order}, choice")
    return Judgment(choice, probabilities_of(obj["probabilities"], f"{order}, probabilities"), *rest)


def cut_of(value: Any, is_trimmed: bool, name: str) -> Cut:
    """How much was read of a prompt that was trimmed, from an object with two counts of tokens."""
    keyed(value, CUT_KEYS, name)
    read, whole = (token_count(value[key], f"{name}, {key}") for key in CUT_KEYS)
    if read >= whole:
        raise Wrong(f"{name} is {read} of {whole}. What was read must be less than the whole.")
    if not is_trimmed:
        raise Wrong(f"{name} is there, and nothing was trimmed. Only what was trimmed has a cut.")
    return Cut(read, whole)


def steps_of(value: Any, name: str) -> tuple[Step, ...]:
    """The steps of a reading, from a list of objects."""
    if not isinstance(value, list):
        raise Wrong(f"{name} is {kind_of(value)}. It must be a list.")
    return tuple(step_of(one, f"{name}[{i}]") for i, one in enumerate(value))


def step_of(obj: Any, name: str) -> Step:
    """One step; "weight" may be left out."""
    has_weight = isinstance(obj, dict) and "weight" in obj
    keyed(obj, (*STEP_KEYS, "weight") if has_weight else STEP_KEYS, name)
    return Step(
        name=text(obj["name"], f"{name}, name"),
        raw=text(obj["raw"], f"{name}, raw"),
        tokens_in=token_count(obj["tokens_in"], f"{name}, tokens_in"),
        tokens_out=token_count(obj["tokens_out"], f"{name}, tokens_out"),
        scores=scores_of(obj["scores"], f"{name}, scores"),
        shared=text(obj["shared"], f"{name}, shared"),
        weight=weight_in(obj.get("weight", 1.0), f"{name}, weight"),
    )


def weight_in(value: Any, name: str) -> float:
    """How often a step's scores count."""
    if type(value) not in (int, float) or not 0 < value <= MAX_WEIGHT:
        raise Wrong(f"{name} is {shown(value)}. It must be a number above 0 and at most {MAX_WEIGHT}.")
    return float(value)


def scores_of(value: Any, name: str) -> tuple[float, float] | None:
    """Scores of the first and the second response; None for null."""
    if value is None:
        return None
    are_numbers = isinstance(value, list) and all(type(one) in (int, float) for one in value)
    if not are_numbers or len(value) != 2 or not all(1 <= one <= 5 for one in value):
        raise Wrong(f"{name} is {shown(value)}. It must be two numbers from 1 to 5, or null.")
    return float(value[0]), float(value[1])


def probabilities_of(value: Any, name: str) -> dict[Choice, float] | None:
    """Probabilities of FIRST, SECOND and, where ties are allowed, TIE, summing to 1; None for null."""
    if value is None:
        return None
    has_tie = isinstance(value, dict) and Choice.TIE in value
    allowed = tuple(Choice) if has_tie else (Choice.FIRST, Choice.SECOND)
    keyed(value, allowed, name)
    probabilities = {choice: probability(value[choice], f"{name}, {choice}") for choice in allowed}
    total = math.fsum(probabilities.values())
    if abs(total - 1.0) > 1e-6:
        raise Wrong(f"{name} sum to {total:.6g}. They must sum to 1.")
    return probabilities


def optional_outcome(obj: Mapping[str, Any], name: str) -> Outcome | None:
    return None if obj[name] is None else named(obj[name], Outcome, name)

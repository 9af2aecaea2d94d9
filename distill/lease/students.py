"""The recipes of a lease's students: plain values, as a YAML file would give them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from distill.lease.place import Place

OASST = "${JUDGE_DATA}/oasst/train_messages_reconstructed.jsonl.gz"

SIGNALS: Mapping[str, Any] = {"filter": "mean", "held_out": 0.05}
SWAP: Mapping[str, Any] = {"filter": "swap", "held_out": 0.05}
LEARNING: Mapping[str, Any] = {
    "targets": "soft",
    "rank": 8,
    "alpha": 16,
    "layers": 1.0,
    "learning_rate": 3e-4,
    "warmup": 0.05,
    "epochs": 1,
    "batch_tokens": 8192,
    "max_prompt_tokens": 1536,
    "evaluations": 1,
    "watched": 48,
    "patience": 0,
}
PAPER: Mapping[str, Any] = {**LEARNING, "targets": "hard", "epochs": 2}
MADE: Mapping[str, float] = {"other_request": 0.15, "spoilt_fact": 0.15}
LONGEST_PROMPT = 2048
"""Tokens of a prompt of the teacher."""

ON_A_CPU: Mapping[str, Any] = {"layers": 0.1, "batch_tokens": 1024}
"""For a trial without a GPU: the top of the model alone, in small batches."""


def recipes_of(place: Place, weights: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Every student's recipe by name.

    `weights` has, by the name of an ensemble, its `signals` and its `length` (see `distill.ensemble`).
    """
    pairs = {"source": "oasst", "path": OASST, "hh_rlhf": place.n_taught, "max_characters": 3000}
    oasst = {**pairs, "hh_rlhf": 0, "limit": place.n_taught}
    pairs["limit"] = 2 * place.n_taught
    trial = ON_A_CPU if place.device == "cpu" else {}

    def recipe(
        name: str,
        pairs: Mapping[str, Any],
        teacher: Mapping[str, Any],
        select: Mapping[str, Any],
        **train: Any,
    ) -> dict[str, Any]:
        whole = {"base_model": place.large, "device": place.device, "max_prompt_tokens": LONGEST_PROMPT}
        return {
            "name": name,
            "collect": {"pairs": pairs, "teacher": {**whole, **teacher}},
            "select": dict(select),
            "train": {"device": place.device, **train},
        }

    def taught(name: str, ensemble: str, base: str, method: str, **changes: Any) -> dict[str, Any]:
        """A student of signals, by the weights of that ensemble."""
        train = {**LEARNING, "base_model": base, "method": method, **trial}
        train |= {"symmetry": 1.0} if method == "direct" else {}
        train |= {"learning_rate": 2e-4} if base == place.large else {}
        teacher = {"backend": "embedded", **weights[ensemble]}
        return recipe(name, pairs, teacher, SIGNALS, **train | changes)

    def distilled(name: str, method: str, base: str) -> dict[str, Any]:
        """The paper's student: of the verdicts of that method that survive the swap."""
        return recipe(name, oasst, {"method": method}, SWAP, **{**PAPER, "base_model": base, **trial})

    def practised(name: str, before: str, base: str) -> dict[str, Any]:
        """One more round, taught by the student of the round before, on further and longer pairs."""
        adapter = str(place.work / before / "adapter")
        teacher = {"base_model": base, "adapter": adapter, "method": "direct"}
        further = {**pairs, "hh_rlhf": 3 * place.n_taught, "skip": 2 * place.n_taught, "max_characters": 4000}
        train = {**LEARNING, "base_model": base, "method": "direct", **trial}
        train |= {"start_from": adapter, "symmetry": 1.0, "sharpness": 2, "learning_rate": 1e-4}
        return recipe(name, further, teacher, SIGNALS, **train)

    own = [
        practised("pair-0.5b-second", "pair-0.5b", place.small),
        practised("pair-1.5b-second", "pair-1.5b", place.large),
        taught("grade-0.5b", "plain", place.small, "score"),
        taught("grade-0.5b-less-length", "less_length", place.small, "score"),
        taught("pair-0.5b", "plain", place.small, "direct"),
        taught("pair-0.5b-less-length", "less_length", place.small, "direct"),
        taught("grade-1.5b", "plain", place.large, "score"),
        taught("grade-1.5b-less-length", "less_length", place.large, "score"),
        taught("pair-1.5b", "plain", place.large, "direct"),
        taught("pair-1.5b-less-length", "less_length", place.large, "direct"),
        taught("grade-0.5b-two", "plain", place.small, "score", epochs=2),
        taught("pair-0.5b-two", "plain", place.small, "direct", epochs=2),
        taught("grade-0.5b-direct-alone", "direct_alone", place.small, "score"),
        taught("grade-1.5b-two", "plain", place.large, "score", epochs=2),
        taught("grade-0.5b-made", "plain", place.small, "score", constructed=MADE),
        taught("pair-0.5b-made", "plain", place.small, "direct", constructed=MADE),
        taught("grade-1.5b-made", "plain", place.large, "score", constructed=MADE),
        taught("pair-1.5b-made", "plain", place.large, "direct", constructed=MADE),
        distilled("bsm-1.5b", "bsm-text", place.large),
        distilled("bsm-0.5b", "bsm-text", place.small),
        distilled("direct-1.5b", "direct", place.large),
    ]
    return {one["name"]: one for one in own}

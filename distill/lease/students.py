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


def recipes_of(place: Place, weights: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Every student's recipe by name.

    `weights` has, by the name of an ensemble, its `signals` and its `length` (see `distill.ensemble`).
    """
    pairs = {"source": "oasst", "path": OASST, "hh_rlhf": place.n_pairs or 2500, "max_characters": 3000}
    pairs |= {"limit": place.n_pairs} if place.n_pairs else {}
    oasst = {**pairs, "hh_rlhf": 0}

    def taught(name: str, ensemble: str, base: str, method: str, **changes: Any) -> dict[str, Any]:
        learning = {**LEARNING, "base_model": base, "method": method, "device": place.device}
        learning |= {"symmetry": 1.0} if method == "direct" else {}
        learning |= {"learning_rate": 2e-4} if base == place.large else {}
        teacher = {"base_model": place.large, "backend": "embedded", "device": place.device, **weights[ensemble]}
        return {
            "name": name,
            "collect": {"pairs": pairs, "teacher": {**teacher, "max_prompt_tokens": 2048}},
            "select": dict(SIGNALS),
            "train": learning | changes,
        }

    def distilled(name: str, method: str, base: str) -> dict[str, Any]:
        teacher = {"base_model": place.large, "method": method, "device": place.device, "max_prompt_tokens": 2048}
        return {
            "name": name,
            "collect": {"pairs": oasst, "teacher": teacher},
            "select": dict(SWAP),
            "train": {**PAPER, "base_model": base, "device": place.device},
        }

    own = [
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
        distilled("bsm-1.5b", "bsm-text", place.large),
        distilled("bsm-0.5b", "bsm-text", place.small),
        distilled("direct-1.5b", "direct", place.large),
    ]
    return {one["name"]: one for one in own}

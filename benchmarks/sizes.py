"""What the small and the large judge in the package cost and know, from committed result files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

LABELS = {"small": "0.5B", "large": "1.5B"}
"""What the base model of each size is called in result files."""
CHOICE = {"small": "the default", "large": "`--base-model large`"}


def list_of(results: Sequence[Mapping[str, Any]]) -> str:
    """An item for each size, and what its seconds are of.

    Args:
        results: of MT-bench and of LLMBar, on which both judges were measured. The seconds are those of the
            last one, which both read on a CPU.
    """
    timed = results[-1]
    items = [
        f"- `{size}` ({label}, {CHOICE[size]}): strict agreement "
        + " and ".join(f"{percent(one, label)} % on {one['data']['name']}" for one in results)
        + f"; {seconds(timed, label):.1f} s a verdict."
        for size, label in LABELS.items()
    ]
    data, cost = timed["data"], judge_of(timed, LABELS["small"])["cost"]
    pairs = f"{data['n_pairs']} pairs of {cost['tokens_in']:.0f} tokens in the mean"
    said = f"Seconds are those of {data['name']}, {pairs}, on {machine(timed)}."
    return "\n".join([*items, "", said])


def line_of(results: Sequence[Mapping[str, Any]]) -> str:
    """The same as one line of plain words, which is `judge.models.sizes.KNOWN`."""
    mt_bench, llmbar = results
    parts = [
        f"{size} ({label}): {seconds(llmbar, label):.1f} s a verdict, agrees with people on "
        f"{percent(mt_bench, label)} % of MT-bench and {percent(llmbar, label)} % of LLMBar"
        for size, label in LABELS.items()
    ]
    return f"{'; '.join(parts)} (seconds on {machine(llmbar)})"


def machine(timed: Mapping[str, Any]) -> str:
    """The CPU, and what it computed in: one that multiplies bfloat16 is several times as fast as others."""
    return (
        f"{timed['cores']} cores of {timed['cpu']} in {judge_of(timed, LABELS['small'])['identity']['dtype']}"
    )


def percent(result: Mapping[str, Any], label: str) -> str:
    """Strict agreement of the judge of that size."""
    return f"{100 * judge_of(result, label)['figures']['strict']['value']:.1f}"


def seconds(result: Mapping[str, Any], label: str) -> float:
    """Of one verdict of the judge of that size. It has to have been read on a CPU."""
    judge = judge_of(result, label)
    assert judge["identity"]["backend"] == "embedded-cpu", label
    return float(judge["cost"]["elapsed_s"])


def judge_of(result: Mapping[str, Any], label: str) -> Mapping[str, Any]:
    """The judge of single answers of that size."""
    found: Mapping[str, Any] = next(one for one in result["judges"] if one["name"] == f"{label} score")
    return found

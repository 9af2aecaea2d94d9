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
        results: of MT-bench and of LLMBar, on which the judges in the package were measured, and of a sample
            on which both base models were asked in one run, on a CPU.
    """
    *known, timed = results
    items = [
        f"- `{size}` ({label}, {CHOICE[size]}): strict agreement "
        + " and ".join(f"{percent(one, label)} % on {one['data']['name']}" for one in known)
        + f"; {seconds(timed, label):.1f} s a verdict."
        for size, label in LABELS.items()
    ]
    n = timed["data"]["n_pairs"]
    return "\n".join(
        [
            *items,
            "",
            f"Seconds are of `direct`, both orders, {n} MT-bench pairs in one run on {machine(timed)}.",
        ]
    )


def line_of(results: Sequence[Mapping[str, Any]]) -> str:
    """The same as one line of plain words, which is `judge.models.sizes.KNOWN`."""
    mt_bench, llmbar, timed = results
    parts = [
        f"{size} ({label}): {seconds(timed, label):.1f} s a verdict, agrees with people on "
        f"{percent(mt_bench, label)} % of MT-bench and {percent(llmbar, label)} % of LLMBar"
        for size, label in LABELS.items()
    ]
    return f"{'; '.join(parts)} (seconds on {machine(timed)})"


def machine(timed: Mapping[str, Any]) -> str:
    """The CPU, and what it computed in: one that multiplies bfloat16 is several times as fast as others."""
    dtype = judge_named(timed, f"{LABELS['small']} direct")["identity"]["dtype"]
    return f"{timed['cores']} cores of {timed['cpu']} in {dtype}"


def percent(result: Mapping[str, Any], label: str) -> str:
    """Strict agreement of the judge of single answers of that size."""
    return f"{100 * judge_named(result, f'{label} score')['figures']['strict']['value']:.1f}"


def seconds(result: Mapping[str, Any], label: str) -> float:
    """Of one verdict of the base model of that size."""
    return float(judge_named(result, f"{label} direct")["cost"]["elapsed_s"])


def judge_named(result: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = next(judge for judge in result["judges"] if judge["name"] == name)
    return found

"""What Yu et al. (arXiv:2407.06023) report: Llama-2-70B-chat teaches itself, exact match in %."""

from __future__ import annotations

from collections.abc import Mapping

MODEL = "Llama-2-70B"

PAPER: Mapping[str, Mapping[tuple[str, str], float]] = {
    "last-letters": {
        ("system-1", ""): 30.0,
        ("rar-1", ""): 39.5,
        ("rar-2", ""): 44.5,
        ("distilled", ""): 98.0,
        ("unfiltered", ""): 87.5,
        ("distilled-system-1", ""): 69.5,
    },
    "coin-flip": {
        ("system-1", ""): 56.1,
        ("rar-1", ""): 58.6,
        ("rar-2", ""): 77.2,
        ("distilled", ""): 75.7,
    },
    "sycophancy": {
        ("system-1", "biased"): 51.6,
        ("s2a", "biased"): 76.0,
        ("distilled", "biased"): 81.3,
    },
    "gsm8k": {
        ("system-1", ""): 7.6,
        ("cot-8", ""): 52.8,
        ("distilled", ""): 7.1,
    },
}
"""By task: (row, kind of question) -> percent; "" where a task has one kind.

The paper's chain of thought stands in the row of the variant that teaches here."""

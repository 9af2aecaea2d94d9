"""What Li et al. (arXiv:2312.12832) report: LLaMA-7B of GPT-3.5's chains on MATH, exact match in %."""

from __future__ import annotations

from collections.abc import Mapping

MODEL = "LLaMA-7B on MATH"

PAPER: Mapping[str, float] = {
    "fine-tuned": 3.88,
    "positive": 5.29,
    "mix": 3.03,
    "unlikelihood": 4.96,
    "nat": 6.81,
}
"""By the names of rows; "fine-tuned" learned the solutions of the data set, without a teacher."""

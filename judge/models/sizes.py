"""Names of base models: everyday words for those that a judge in this package is made of, and their worth."""

from __future__ import annotations

SIZES = {"small": "qwen2.5-coder-0.5b", "large": "qwen2.5-coder-1.5b"}

KNOWN = (
    "small (0.5B): 0.4 s a verdict, agrees with people on 72.4 % of MT-bench and 46.8 % of LLMBar; "
    "large (1.5B): 1.3 s a verdict, agrees with people on 73.2 % of MT-bench and 53.5 % of LLMBar "
    "(seconds on 2 cores of AMD EPYC in bfloat16)"
)
"""What they cost and know; a test makes it again from the result files."""


def last_part(name: str) -> str:
    """A hub id or path without what comes before its last slash."""
    return name.rstrip("/").rsplit("/", 1)[-1]

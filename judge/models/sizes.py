"""Everyday words for the base models that a judge in this package is made of."""

from __future__ import annotations

SIZES = {"small": "qwen2.5-coder-0.5b", "large": "qwen2.5-coder-1.5b"}

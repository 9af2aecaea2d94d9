"""Figures of a result file as pictures for the results page."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter

from judge.drawing.formats import PAGE_PARTS
from judge.errors import InputError
from judge.study.charts import chart_by_category
from judge.study.study import Counts, People, Standing, Study

XMLNS = 'xmlns="http://www.w3.org/2000/svg"'
COLOURS = re.compile(r"(?:@media [^{]*\{\s*)?:root \{[^}]*\}(?:\s*\})?")


def picture_of(result: Mapping[str, Any], metric: str) -> str:
    """One metric of every judge in a result file, by category, as an SVG file that needs no page around it.

    Raises:
        InputError: no judge in the file has that metric.
    """
    drawn = chart_by_category(study_in(result), metric)
    if drawn is None:
        raise InputError(f"no judge of this result file has the figure {metric}.")
    return standing_alone(drawn)


def standing_alone(drawn: str) -> str:
    """An `<svg>` element as a file of its own, with the colours that a page would have given it."""
    css = (PAGE_PARTS / "base.css").read_text(encoding="utf-8")
    light, dark = COLOURS.findall(css)[:2]
    style = f"<style>{light}{dark}svg {{ background: var(--panel); font-family: sans-serif; }}</style>"
    return re.sub(r"<svg([^>]*)>", rf"<svg {XMLNS}\1>{style}", drawn, count=1) + "\n"


def study_in(result: Mapping[str, Any]) -> Study:
    """The study that a result file was made from, with only what charts by category need."""
    data, intervals = result["data"], result["intervals"]
    return Study(
        total=TypeAdapter(Counts).validate_python(data),
        by_category=TypeAdapter(dict[str, Counts]).validate_python(data["categories"]),
        n_left_out=data["n_left_out"],
        n_draws=intervals["n_draws"],
        seed=result["seed"],
        people=TypeAdapter(People).validate_python(result["people"]),
        standings=TypeAdapter(tuple[Standing, ...]).validate_python(result["judges"]),
        contrasts=(),
        has_texts=True,
    )

"""Calibration files: what `judge calibrate` writes, and what of it a judge needs.

Import it inside functions: it loads pydantic.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from judge.errors import InputError
from judge.io.content import plain_content
from judge.io.rows import NotJson, bytes_of, parse_json, shown
from judge.io.shapes import Misshapen, Must, OpenShape, shaped
from judge.records import Calibration

SCHEMA = "four-token-judge/calibration/1"


class ValueShape(OpenShape):
    """A fitted value; its interval is for people."""

    value: float


class SlopeShape(OpenShape):
    """The slope, which keeps the order of verdicts as it is."""

    value: Annotated[float, Field(gt=0), Must("a number above 0")]


class BandShape(OpenShape):
    """The verdicts that are too close to call."""

    below: Annotated[float, Field(ge=0.5, le=1), Must("a number from 0.5 to 1")]


class CalibrationShape(OpenShape):
    """What a judge needs of a calibration file."""

    judge: Annotated[str, Field(min_length=1)]
    slope: SlopeShape
    offset: ValueShape
    undecided: BandShape | None


def read_calibration(path: str | Path) -> Calibration:
    """The calibration in a file that `judge calibrate` wrote.

    Raises:
        InputError: there is no such file, or it is not a calibration.
    """
    try:
        values: Any = parse_json(plain_content(bytes_of(Path(path)), str(path)).decode())
    except (NotJson, UnicodeDecodeError):
        raise InputError(f"{path}: not JSON. It must be a file that `judge calibrate` wrote.") from None
    schema = values.get("schema") if isinstance(values, dict) else None
    if schema != SCHEMA:
        raise InputError(
            f"{path}: schema is {shown(schema)}. It must be {SCHEMA}, a file that `judge calibrate` wrote."
        )
    try:
        found = shaped(CalibrationShape, values)
    except Misshapen as error:
        raise InputError(f"{path}: {error}") from None
    below = 0.5 if found.undecided is None else found.undecided.below
    return Calibration(found.judge, found.slope.value, found.offset.value, below)

"""What the values of a file must look like, as pydantic models; all mistakes are reported in our own words.

Import it inside functions: pydantic takes a while to load, and few commands read a file of such a shape.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Annotated, Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from judge.io.rows import shown
from judge.io.wording import did_you_mean

S = TypeVar("S", bound=BaseModel)
Place = tuple[int | str, ...]

WRONG_KEY = "[key]"
"""What pydantic puts behind a key of a mapping of which the key itself is wrong."""

Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Shape(BaseModel):
    """An object with exactly these keys. Types are strict: text is no number, and a number is no text."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class OpenShape(Shape):
    """An object with at least these keys: all else in it is for others."""

    model_config = ConfigDict(extra="ignore")


@dataclass(frozen=True, slots=True)
class Must:
    """Annotates a field with what it must be, in words; without it pydantic's own words are used."""

    be: str


class Misshapen(ValueError):
    """Values that do not have their shape, a problem for each mistake. The caller adds the place."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


def shaped(shape: type[S], values: Any) -> S:
    """The values in this shape. Raises Misshapen that names all that is wrong with them."""
    if not isinstance(values, dict):
        raise Misshapen([f"must be an object with {', '.join(shape.model_fields)} (found: {shown(values)})"])
    try:
        return shape.model_validate(values)
    except ValidationError as error:
        raise misshapen(error, shape, values) from None


def misshapen(error: ValidationError, shape: type[BaseModel], values: Any) -> Misshapen:
    """The same error in our own words."""
    return Misshapen(problems_of(error.errors(include_url=False), shape, values))


def problems_of(errors: Sequence[ErrorDetails], shape: type[BaseModel], values: Any) -> list[str]:
    """Each mistake that pydantic found in the values, once: the key, what is right, what was found."""
    return list(dict.fromkeys(_problem_of(error, shape, values) for error in errors))


def _problem_of(error: ErrorDetails, shape: type[BaseModel], values: Any) -> str:
    loc, kind = error["loc"], error["type"]
    if loc[-1:] == (WRONG_KEY,):
        loc = loc[:-1]
    if not loc:
        return error["msg"]
    block, field, at = _field_at(shape, loc)
    if field is None:
        hint = did_you_mean(str(at[-1]), block.model_fields)
        return f"{_key(at)}: no such key.{hint} The keys here are {', '.join(block.model_fields)}."
    must = _must(field)
    if kind == "missing" and at == loc:
        right = f", {must}" if must else f". {field.description}" if field.description else ""
        return f"{_key(loc)}: missing{right}"
    if must:
        return f"{_key(at)}: {must} (found: {shown(reduce(lambda value, name: value[name], at, values))})"
    if kind == "model_type" and (inner := _shape_in(field)):
        keys = ", ".join(inner.model_fields)
        return f"{_key(loc)}: must be a block with the keys {keys} (found: {shown(error['input'])})"
    return f"{_key(loc)}: {error['msg']} (found: {shown(error['input'])})"


def _must(field: FieldInfo | None) -> str:
    metadata = field.metadata if field else []
    return next((f"must be {one.be}" for one in metadata if isinstance(one, Must)), "")


def _key(place: Place) -> str:
    """The place in words; of a name that steers a terminal its quoted form."""
    names = map(str, place)
    return ".".join(name if name.isprintable() else repr(name) for name in names)


def _field_at(shape: type[BaseModel], loc: Place) -> tuple[type[BaseModel], FieldInfo | None, Place]:
    """The innermost field on the way to a place, or the first on it that says what it must be.

    Returns:
        The block that the field is in, the field, None where the block has no such key, and its own place.
    """
    block = shape
    for depth, name in enumerate(loc, start=1):
        field = block.model_fields.get(str(name))
        inner = _shape_in(field)
        if inner is None or _must(field) or depth == len(loc):
            break
        block = inner
    return block, field, loc[:depth]


def _shape_in(field: FieldInfo | None) -> type[BaseModel] | None:
    """The model that a field holds, or may hold; None where it holds something else."""
    kind = field.annotation if field else None
    models = (one for one in (kind, *get_args(kind)) if isinstance(one, type) and issubclass(one, BaseModel))
    return next(models, None)

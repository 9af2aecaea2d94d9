"""Answers by makers of known strength, of which pairs are made: who wrote an answer says how good it is.

A file of them has no request's text, only its hash, so that it can be kept without the data. Its first line
is a header that names the makers, the strongest first, and how they were asked; then a line a request:

    {"request": SHA-256, "answers": {"large": "...", "small": "..."}}
"""

from __future__ import annotations

import gc
import json
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, Field

from distill.construct import Material, by_hash
from distill.ladder import half_of
from distill.replies import Ask, Replies
from judge.backends import Backend, Settings, load_backend
from judge.errors import InputError
from judge.io.content import plain_content
from judge.io.rows import Cells, Wrong, bytes_of, claim, gather, line_rows, shown
from judge.io.shapes import Misshapen, Must, OpenShape, Sha256, shaped
from judge.io.writing import write_whole
from judge.ledger.ledger import Ledger
from judge.ledger.shards import gzipped
from judge.progress import Progress, silent
from judge.records import sha256_of_json

SCHEMA = "four-token-judge/answers/1"
TEMPERATURE = 0.7
MAX_NEW_TOKENS = 192
"""Answers are cut to like lengths afterwards, so longer ones would be written in vain."""

HALF = "half"
SHORT = 12
S = TypeVar("S", bound=BaseModel)
Text = Annotated[str, Field(min_length=1)]


@dataclass(frozen=True, slots=True)
class Maker:
    """Who answers: a base model, that may be shown half of each request only."""

    name: str
    base_model: str
    sees_half: bool = False

    @classmethod
    def of(cls, spec: str) -> Maker:
        """The maker told as NAME=BASE_MODEL or NAME=BASE_MODEL:half.

        Raises:
            InputError: it is told otherwise.
        """
        name, _, model = spec.partition("=")
        base_model, _, seen = model.partition(":")
        if not name or not base_model or seen not in ("", HALF):
            raise InputError(f"--maker {spec}: must be NAME=BASE_MODEL or NAME=BASE_MODEL:{HALF}.")
        return cls(name, base_model, seen == HALF)


Loader = Callable[[str], Backend]


def load(base_model: str) -> Backend:
    """The embedded backend with the bare base model, in the memory of the one before."""
    gc.collect()
    return load_backend("embedded", Settings(base_model, strict=True))


def write_answers(
    path: Path,
    requests: Sequence[str],
    makers: Sequence[Maker],
    ledger: Ledger,
    seed: int = 0,
    progress: Progress = silent,
    loader: Loader = load,
) -> int:
    """Has each maker answer each request and writes the file; the number of its lines.

    A maker that sees half of a request leaves out those in which nothing can be hidden. Replies are kept in
    the ledger, so an interrupted call goes on.

    Args:
        makers: the strongest first.
        seed: of what is drawn, and of what is hidden.

    Raises:
        InputError: two makers have one name.
        BackendError: an engine failed. What was said before is in the ledger.
    """
    if len({maker.name for maker in makers}) < len(makers):
        raise InputError(f"two makers of one name: {', '.join(maker.name for maker in makers)}.")
    asked = by_hash(requests, seed)
    answers: dict[str, dict[str, str]] = {request: {} for request in asked}
    told = []
    backend: Backend | None = None
    loaded = ""
    for maker in makers:
        shown = {one: half_of(one, seed) if maker.sees_half else one for one in asked}
        wanted = {request: text for request, text in shown.items() if text}
        if maker.base_model != loaded:
            backend = None  # its memory is for the next one
            backend, loaded = loader(maker.base_model), maker.base_model
        assert backend is not None
        said = Replies(backend, ledger, seed, progress).to(
            [Ask(text) for text in wanted.values()], MAX_NEW_TOKENS, TEMPERATURE, f"answers of {maker.name}"
        )
        for request, reply in zip(wanted, said, strict=True):
            answers[request][maker.name] = reply.text
        told.append(asdict(maker) | {"base_model_hash": backend.engine.base_model_hash})
    header = {
        "schema": SCHEMA,
        "makers": told,
        "temperature": TEMPERATURE,
        "max_new_tokens": MAX_NEW_TOKENS,
        "seed": seed,
    }
    lines: list[Mapping[str, Any]] = [
        {"request": hash_of(request), "answers": answers[request]} for request in asked
    ]
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in [header, *lines])
    write_whole(path, gzipped(text.encode()), parents=True)
    return len(lines)


@dataclass(frozen=True, slots=True)
class Answers:
    """What a file has: the makers' names, the strongest first, and the answers by the request's hash.

    Makers in `half_blind` saw half of each request.
    """

    makers: tuple[str, ...]
    half_blind: tuple[str, ...]
    by_request: Mapping[str, Mapping[str, str]]

    def of(self, requests: Sequence[str]) -> dict[str, Mapping[str, str]]:
        """The answers to those of these requests that the file has."""
        found = {request: self.by_request.get(hash_of(request)) for request in requests}
        return {request: answers for request, answers in found.items() if answers is not None}


class ToldMaker(OpenShape):
    """A maker as the header names it; all else there is for people."""

    name: Text
    sees_half: bool


class Header(OpenShape):
    """The first line of a file of answers."""

    makers: Annotated[list[ToldMaker], Must("the list of makers, each with its name and sees_half")]


class Line(OpenShape):
    """A request with what each maker said to it."""

    request: Annotated[Sha256, Must("the SHA-256 of a request")]
    answers: Annotated[dict[str, str], Must("an object with the text that each maker answered")]


def read_answers(path: Path) -> Answers:
    """What the file has.

    Raises:
        BadLines: lines have no answers, every one named.
        InputError: it cannot be read, or is no file of answers.
    """
    rows = list(line_rows(plain_content(bytes_of(path), str(path)), str(path)))
    if not rows:
        raise InputError(f"{path}: the file is empty. `judge distill answers` writes one.")
    [header] = gather(rows[:1], _header_of)
    taken: dict[Hashable, str] = {}

    def line_of(cells: Cells, where: str) -> Line:
        line = _in_shape(Line, cells)
        claim(taken, line.request, where, f"the request {line.request[:SHORT]}")
        return line

    lines = gather(rows[1:], line_of)
    if not lines:
        raise InputError(
            f"{path}: no request is answered in it. `judge distill answers` writes a line for each."
        )
    return Answers(
        makers=tuple(one.name for one in header.makers),
        half_blind=tuple(one.name for one in header.makers if one.sees_half),
        by_request={line.request: line.answers for line in lines},
    )


def _header_of(cells: Cells, where: str) -> Header:
    if (schema := cells.get("schema")) != SCHEMA:
        raise Wrong(
            f"its schema is {shown(schema)}. The first line of a file that `judge distill answers` wrote has "
            f"{SCHEMA!r}."
        )
    return _in_shape(Header, cells)


def _in_shape(shape: type[S], cells: Cells) -> S:
    """The cells in this shape; raises Wrong otherwise."""
    try:
        return shaped(shape, cells)
    except Misshapen as wrong:
        raise Wrong(f"{wrong}.") from None


def with_answers(material: Material, path: Path) -> Material:
    """The material with what the makers in the file said to its requests.

    Raises:
        InputError: as for `read_answers`.
    """
    written = read_answers(path)
    answers = written.of(list(material.replies))
    return replace(material, ladder=answers, makers=written.makers, half_blind=written.half_blind)


def hash_of(request: str) -> str:
    """SHA-256 (hex) of a request's text."""
    return sha256_of_json(request)

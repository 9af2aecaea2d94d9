"""Answers by makers of known strength, of which pairs are made: who wrote an answer says how good it is.

A file of them has no request's text, only its hash, so that it can be kept without the data. Its first line
is a header that names the makers, the strongest first, and how they were asked; then a line a request:

    {"request": SHA-256, "answers": {"large": "...", "small": "..."}}
"""

from __future__ import annotations

import gc
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from distill.construct import Material, by_hash
from distill.ladder import half_of
from distill.replies import Ask, Replies
from judge.backends import Backend, Settings, load_backend
from judge.errors import InputError
from judge.io.content import plain_content
from judge.io.rows import bytes_of
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


def read_answers(path: Path) -> Answers:
    """What the file has.

    Raises:
        InputError: it cannot be read, or is no file of answers.
    """
    content = plain_content(bytes_of(path), str(path))
    try:
        header, *lines = map(json.loads, content.splitlines())
        schema = header["schema"]
        makers = tuple(str(one["name"]) for one in header["makers"])
        half_blind = tuple(str(one["name"]) for one in header["makers"] if one["sees_half"])
        by_request = {
            str(line["request"]): {str(name): str(text) for name, text in line["answers"].items()}
            for line in lines
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path}: no file of answers ({type(error).__name__}). `judge distill answers` writes one."
        ) from error
    if schema != SCHEMA:
        raise InputError(f"{path}: schema {schema}. It must be {SCHEMA}.")
    return Answers(makers, half_blind, by_request)


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

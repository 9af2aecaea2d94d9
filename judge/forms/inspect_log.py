"""inspect_ai's logs, .json or .eval: what a model said to each sample, compared with another log's.

A sample's target is the pair's reference. Scores are of single answers, and no votes.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from judge.datasets.dataset import Unusable, usable
from judge.errors import InputError
from judge.forms.answers import Answer, compared
from judge.forms.conversation import asked, conversation_of
from judge.forms.form import Entry, Form, Imported, each, imported, optional_name
from judge.io.rows import Cells, Wrong, found, parse_json

ZIP_MAGIC = b"PK\x03\x04"
NEEDED = "A log of inspect_ai needs eval and samples."


def recognises(cells: Mapping[str, Any]) -> bool:
    return isinstance(cells.get("eval"), Mapping) and isinstance(cells.get("samples"), list)


def read(entries: Sequence[Entry]) -> Imported:
    """A pair of every two models' answers to one sample of one epoch."""
    logs, left_out = each(entries, log_of)
    models = [str(log["eval"].get("model")) for _, log in logs]
    samples = [
        (model if models.count(model) == 1 else Path(file).name, sample)
        for model, (file, log) in zip(models, logs, strict=True)
        for sample in log["samples"]
    ]
    answers, failed = usable(samples, lambda given: answer_of(*given))
    left_out += failed
    return imported(compared(answers, left_out), left_out, voter="inspect")


def log_of(entry: Entry) -> tuple[str, Cells]:
    if not recognises(entry.cells):
        raise Wrong(f"found {found(entry.cells)}. {NEEDED}")
    return entry.file, entry.cells


def answer_of(model: str, sample: Any) -> Answer:
    """What the model said to one sample."""
    if not isinstance(sample, Mapping) or sample.get("error"):
        raise Unusable("a sample that failed")
    output = sample.get("output")
    choices = output.get("choices") if isinstance(output, Mapping) else None
    if not choices:
        raise Unusable("a sample without an answer")
    given = sample.get("input")
    before = conversation_of(given, "input") if isinstance(given, list) else asked(str(given))
    whole = before.then(conversation_of([choices[0]["message"]], "output"))
    whole.check()
    target = sample.get("target")
    return Answer(
        whole.context,
        whole.messages[-1].content,
        model,
        question=json.dumps([sample.get("id"), sample.get("epoch"), given], sort_keys=True),
        reference="\n".join(map(str, target)) if isinstance(target, list) else optional_name(target),
        metadata={name: sample[name] for name in ("id", "epoch") if name in sample},
    )


def unzipped(data: bytes, name: str) -> Cells:
    """An .eval file as the one object that a .json log is.

    Raises:
        InputError: it is no log, or packed in a way that this Python cannot unpack.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            files = {one: archive.read(one) for one in archive.namelist() if is_read(one)}
    except (zipfile.BadZipFile, NotImplementedError, OSError, RuntimeError) as error:
        raise InputError(
            f"{name}: cannot be unpacked ({error}). Write it as JSON: inspect log convert --to json."
        ) from error
    header = next(
        (text for one, text in files.items() if one in ("header.json", "_journal/start.json")), None
    )
    if header is None:
        raise InputError(f"{name}: a zip file without header.json. {NEEDED}")
    try:
        samples = [parse_json(text.decode()) for one, text in files.items() if one.startswith("samples/")]
        return dict(parse_json(header.decode()), samples=samples)
    except (Wrong, ValueError) as error:
        raise InputError(f"{name}: {error}") from error


def is_read(member: str) -> bool:
    is_sample = member.startswith("samples/") and member.endswith(".json")
    return is_sample or member in ("header.json", "_journal/start.json")


INSPECT = Form("logs of inspect_ai", recognises, read)

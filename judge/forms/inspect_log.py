"""inspect_ai's logs, .json or .eval: what a model said to each sample, compared with another log's.

What was asked is in a sample's messages, up to the answer; its input is less (options and system texts are
not in it) and counts where there are no messages. A sample's target is the pair's reference. Scores are of
single answers, and no votes.
"""

from __future__ import annotations

import io
import json
import struct
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from judge.errors import InputError
from judge.forms.answers import compared, names_of_files
from judge.forms.conversation import CALL, Conversation, asked, conversation_of
from judge.forms.form import (
    Answer,
    Answers,
    Comparison,
    Entry,
    Exported,
    Form,
    Imported,
    Labels,
    Side,
    each,
    given_id,
    imported,
    messages_of,
    optional_name,
)
from judge.forms.winners import ballot_of
from judge.io.content import zip_in_words
from judge.io.criteria import criteria_in, lines_in_one
from judge.io.pairs import LONG_FORM
from judge.io.rows import Cells, Wrong, found, kind_of, parse_json
from judge.io.usable import Unusable, usable
from judge.records import Message, Pair, Verdict

ZSTANDARD = 93  # the number of the method in a zip file
LOCAL_HEADER = 30  # bytes of a member's header before its name; its last four are two lengths
TASK, SCORE, UNPARSED = "four-token-judge", "verdict", "unparsed"
"""What a log of verdicts calls itself and the verdict, and a verdict that could not be read."""

NEEDED = "A log of inspect_ai needs eval and samples."


def recognises(cells: Mapping[str, Any]) -> bool:
    return isinstance(cells.get("eval"), Mapping) and isinstance(cells.get("samples"), list)


def read(entries: Sequence[Entry]) -> Imported:
    """A pair of every two models' answers to one sample of one epoch; of a log of ours its verdicts."""
    logs, left_out = each(entries, log_of)
    if all(log["eval"].get("task") == TASK for _, log in logs):
        verdicts, unjudged = usable(
            [sample for _, log in logs for sample in log["samples"]], verdict_of_sample
        )
        return imported(verdicts, left_out + unjudged, voter="judge")
    given, failed = answers_in(logs)
    left_out += failed
    return imported(compared(given, left_out), left_out, voter="inspect")


def answers(entries: Sequence[Entry]) -> Answers:
    """What each model answered to each sample. Raises Wrong where a log is one of our verdicts."""
    logs, left_out = each(entries, log_of)
    if any(log["eval"].get("task") == TASK for _, log in logs):
        raise Wrong("this is a log of verdicts, not of models' answers.")
    given, failed = answers_in(logs)
    return given, left_out + failed


def answers_in(logs: Sequence[tuple[str, Cells]]) -> Answers:
    """The answers of all logs, each with its file; a log's file names it where two are of one model."""
    models = [str(log["eval"].get("model")) for _, log in logs]
    files = names_of_files(file for file, _ in logs)
    samples = [
        (model if models.count(model) == 1 else files[file], sample)
        for model, (file, log) in zip(models, logs, strict=True)
        for sample in log["samples"]
    ]
    return usable(samples, lambda given: answer_of(*given))


def log_of(entry: Entry) -> tuple[str, Cells]:
    if not recognises(entry.cells):
        raise Wrong(f"found {found(entry.cells)}. {NEEDED}")
    return entry.file, entry.cells


def answer_of(model: str, sample: Any) -> Answer:
    """What the model said to one sample."""
    if not isinstance(sample, Mapping) or sample.get("error"):
        raise Unusable("a sample that failed")
    choices = part_of(sample, "output").get("choices")
    message = part_of(choices[0], "message") if isinstance(choices, list) and choices else {}
    if not message:
        raise Unusable("a sample without an answer")
    given = sample.get("input")
    if given is None:
        raise Unusable("no question")
    whole = whole_of(sample, conversation_of([message], "output"))
    whole.check()
    target = sample.get("target")
    return Answer(
        whole.context,
        whole.messages[-1].content,
        model,
        question=json.dumps([sample.get("id"), sample.get("epoch"), said_in(given)], sort_keys=True),
        reference="\n".join(map(str, target)) if isinstance(target, list) else optional_name(target),
        metadata={name: sample[name] for name in ("id", "epoch") if name in sample},
    )


def said_in(given: Any) -> Any:
    """The input without the ids of its messages, which are drawn anew in every run."""
    if not isinstance(given, list):
        return given
    return [[one.get("role"), one.get("content")] if isinstance(one, Mapping) else one for one in given]


def whole_of(sample: Mapping[str, Any], answer: Conversation) -> Conversation:
    """All that was said in a sample up to its answer."""
    if not answer.messages:
        raise Unusable(f"an answer that is {CALL}")
    if not (messages := sample.get("messages")):
        if sample.get("choices"):
            raise Unusable("a sample of options without the messages that show them")
        given = sample["input"]
        before = conversation_of(given, "input") if isinstance(given, list) else asked(str(given))
        return before.then(answer)
    talk = conversation_of(messages, "messages")
    if talk.messages and talk.messages[-1].role == "user":  # the answer stands in the output alone
        return talk.then(answer)
    ends = [end for end, one in enumerate(talk.messages, start=1) if is_same(one, answer.messages[-1])]
    if not ends:
        raise Unusable("a sample whose messages do not have its answer")
    return replace(talk, messages=talk.messages[: ends[-1]])


def is_same(one: Message, other: Message) -> bool:
    return one.role == other.role and one.content.strip() == other.content.strip()


def part_of(value: Any, name: str) -> Mapping[str, Any]:
    """The object that an object has under a name; an empty one where either is none."""
    part = value.get(name) if isinstance(value, Mapping) else None
    return part if isinstance(part, Mapping) else {}


# --- a log of verdicts -----------------------------------------------------------------------------------


def export(judged: Sequence[tuple[Pair, Verdict]], at: str) -> Exported:
    """A log with a sample a pair: what was asked, both answers as metadata, and the verdict as a score.

    Raises:
        InputError: there is no verdict, whose judge is the model of a log.
    """
    if not judged:
        raise InputError("no verdicts. A log of inspect_ai is of a judge.")
    samples = [sample_of(pair, verdict) for pair, verdict in judged]
    log = {
        "version": 2,
        "status": "success",
        "eval": {
            "created": at,
            "task": TASK,
            "dataset": {"samples": len(samples), "sample_ids": [sample["id"] for sample in samples]},
            "model": judged[0][1].judge,
            "config": {},
        },
        "stats": {"started_at": at, "completed_at": at},
        "samples": samples,
    }
    return Exported(json.dumps(log, ensure_ascii=False, indent=2) + "\n", len(samples), {})


def sample_of(pair: Pair, verdict: Verdict) -> dict[str, Any]:
    said = UNPARSED if verdict.outcome is None else verdict.outcome.value
    sides = {name: messages_of(getattr(pair, name), pair.system) for name in LONG_FORM}
    message = {"role": "assistant", "content": said}
    return {
        "id": pair.id,
        "epoch": 1,
        "input": messages_of(pair.context_a, pair.system),
        "target": pair.reference or "",
        "metadata": {**pair.metadata, **sides, "category": pair.category, **criteria_of_log(pair)},
        "messages": [],
        "output": {"model": verdict.judge, "choices": [{"message": message, "stop_reason": "stop"}]},
        "scores": {
            SCORE: {
                "value": said,
                "answer": said,
                "metadata": {"p_a": verdict.p_a, "status": verdict.status.value, "judge": verdict.judge},
            }
        },
    }


def criteria_of_log(pair: Pair) -> dict[str, str]:
    return {"criteria": lines_in_one(pair.criteria)} if pair.criteria else {}


def verdict_of_sample(sample: Any) -> Comparison:
    """The pair of a sample, its verdict as a label."""
    metadata = dict(part_of(sample, "metadata"))
    a, b = (conversation_of(metadata.pop(name, None), name) for name in LONG_FORM)
    score = part_of(part_of(sample, "scores"), SCORE)
    labels = Labels()
    if score.get("value") != UNPARSED:
        judge = optional_name(part_of(score, "metadata").get("judge"))
        labels.add(lambda: ballot_of(score.get("value")), judge or "")
    return Comparison(
        Side(a, optional_name(metadata.get("model_a"))),
        Side(b, optional_name(metadata.get("model_b"))),
        labels,
        id=given_id(sample),
        category=optional_name(metadata.pop("category", None)),
        reference=optional_name(sample.get("target")),
        criteria=criteria_in({"criteria": metadata.pop("criteria", None)}),
        metadata=metadata,
        is_in_order=True,
    )


# --- files -----------------------------------------------------------------------------------------------


def unzipped(data: bytes, name: str) -> Cells:
    """An .eval file as the one object that a .json log is.

    Raises:
        InputError: it is no log, or packed in a way that this Python cannot unpack.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = [member for member in archive.infolist() if is_read(member.filename)]
            if not members:
                raise InputError(f"{name}: {zip_in_words(archive.namelist())}")
            files = {member.filename: content_of_member(archive, member, data) for member in members}
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        NotImplementedError,
        OSError,
        RuntimeError,
        ValueError,
        struct.error,
    ) as error:
        why = "it breaks off" if isinstance(error, EOFError) else error  # an EOFError says nothing
        raise InputError(
            f"{name}: cannot be unpacked ({why}). Write it as JSON: inspect log convert --to json."
        ) from error
    header = next(
        (text for one, text in files.items() if one in ("header.json", "_journal/start.json")), None
    )
    if header is None:
        raise InputError(f"{name}: a zip file without header.json. {NEEDED}")
    samples = [
        parsed_member(text, f"{name}, {one}") for one, text in files.items() if one.startswith("samples/")
    ]
    log = parsed_member(header, f"{name}, its header")
    if not isinstance(log, dict):
        raise InputError(f"{name}: its header is {kind_of(log)}. It must be an object.")
    return log | {"samples": samples}


def parsed_member(text: bytes, name: str) -> Any:
    """The value of a member's JSON, in which scores may be NaN. Raises InputError."""
    try:
        return parse_json(text.decode(), has_nan=True)
    except (Wrong, ValueError) as error:
        raise InputError(f"{name}: {error}") from error


def content_of_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, data: bytes) -> bytes:
    """A member's bytes. Python's own zipfile does not know Zstandard, in which inspect_ai packs."""
    if member.compress_type != ZSTANDARD:
        return archive.read(member)
    import pyarrow

    at = member.header_offset + LOCAL_HEADER
    n_name, n_extra = struct.unpack("<HH", data[at - 4 : at])
    start = at + n_name + n_extra
    packed = data[start : start + member.compress_size]
    return bytes(pyarrow.decompress(packed, member.file_size, codec="zstd", asbytes=True))


def is_read(member: str) -> bool:
    is_sample = member.startswith("samples/") and member.endswith(".json")
    return is_sample or member in ("header.json", "_journal/start.json")


INSPECT = Form("logs of inspect_ai", recognises, read, export, answers)

"""A whole run: three students learn the same mazes, then answer others. Interrupted, the same call goes on.

Students and replies are in the folder; the result is made of them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.controls.mazes import LEAST_WALLS, MOST_WALLS, Maze, Splits
from benchmarks.controls.model import n_weights, new_model, written
from benchmarks.controls.plan import MAZES_A_STEP, SCALES, Plan, longest_reply
from benchmarks.controls.students import LEARNERS, LEARNING_RATE, WARMUP, Course, Learned, Learner, Training
from benchmarks.controls.words import (
    END,
    FAST,
    Answer,
    Coder,
    is_shortest,
    is_way,
    n_trace_words,
    prompt_words,
    read_reply,
)
from judge.io.writing import write_whole
from judge.progress import Progress, silent
from judge.provenance import provenance
from judge.records import sha256_of_json

SCHEMA = "four-token-judge/controls/1"
SAMPLED = "sampled"
OPTIMAL, SOLVED, WRONG, UNREAD = "2", "1", "0", "-"
"""Marks of a reply: the shortest way, another way, no way, not readable."""


@dataclass(frozen=True, slots=True)
class Run:
    """What all stages of a run share."""

    plan: Plan
    folder: Path
    splits: Splits
    coder: Coder
    longest: int
    progress: Progress = silent


def run(plan: Plan, folder: Path, progress: Progress = silent) -> dict[str, Any]:
    """The result, as plain JSON values."""
    splits = plan.splits()
    coder = Coder(SCALES[plan.scale].size)
    one = Run(plan, folder, splits, coder, longest_reply(splits.held_out), progress)
    students, rows = [], []
    for name, learner in LEARNERS.items():
        key = key_of(one, learner)
        model, learned = taught(one, name, learner, key)
        students.append(student_told(name, learner, learned))
        for way, is_drawn in ways_of(learner):
            for split, mazes in (("held_out", splits.held_out), ("test", splits.test)):
                said = f"{way} {SAMPLED}" if is_drawn else way
                file = f"{name}-{said.replace(' ', '-')}-{split}"
                seed = plan.seed if is_drawn else None
                replies = replies_of(one, model, file, key, learner.asked[way], mazes, seed)
                rows.append({"student": name, "way": said, "split": split, **measured(mazes, replies)})
    return {**made_with(one, n_weights(model)), "students": students, "rows": rows}


def ways_of(learner: Learner) -> list[tuple[str, bool]]:
    """Each way in which a student is asked, and whether its words are drawn."""
    return [(way, False) for way in learner.asked] + [(way, True) for way in learner.sampled]


def key_of(one: Run, learner: Learner) -> str:
    """What a student and its replies depend on, as one hash."""
    plan, scale = one.plan, SCALES[one.plan.scale]
    return sha256_of_json([asdict(plan), asdict(scale), learner.levels, one.splits.hash])


def taught(one: Run, name: str, learner: Learner, key: str) -> tuple[Any, Learned]:
    """A student that has learned, and how it came to that."""
    plan, scale = one.plan, SCALES[one.plan.scale]
    model = new_model(scale.shape, len(one.coder.words), plan.seed)
    course = Course(one.splits.train, learner.levels, plan.steps, MAZES_A_STEP, plan.seed)
    training = Training(model, one.coder, course, one.folder / "students" / f"{name}.pt", key)
    return model, training.run(one.progress, learner.what)


def replies_of(
    one: Run,
    model: Any,
    name: str,
    key: str,
    first: str | None,
    mazes: Sequence[Maze],
    seed: int | None,
) -> list[str]:
    """The replies to all mazes, which are kept in a file of the folder for the student of that key."""
    path = one.folder / "replies" / f"{name}.json"
    if path.is_file():
        kept = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(kept, dict) and kept["key"] == key:
            return list(kept["replies"])
    prompts = [one.coder.ids(prompt_words(maze)) for maze in mazes]
    [end] = one.coder.ids([END])
    begin = None if first is None else one.coder.ids([first])[0]
    ids = written(model, prompts, begin, end, one.longest, one.progress, seed)
    replies = [one.coder.text(reply) for reply in ids]
    write_whole(path, json.dumps({"key": key, "replies": replies}) + "\n", parents=True)
    return replies


def measured(mazes: Sequence[Maze], replies: Sequence[str]) -> dict[str, Any]:
    """A mark and the words of the trace for each maze, and how many replies began with the plan."""
    words = [reply.split() for reply in replies]
    return {
        "marks": "".join(mark_of(maze, reply) for maze, reply in zip(mazes, replies, strict=True)),
        "trace_tokens": [n_trace_words(one) for one in words],
        "tokens_out": sum(map(len, words)) / len(words),
        "n_fast": sum(one[0] == FAST for one in words),
    }


def mark_of(maze: Maze, reply: str) -> str:
    answer = read_reply(reply)
    if not isinstance(answer, Answer):
        return UNREAD
    if not is_way(maze, answer.path):
        return WRONG
    return OPTIMAL if is_shortest(maze, answer.path) else SOLVED


def student_told(name: str, learner: Learner, learned: Learned) -> dict[str, Any]:
    """What a student saw. `losses` are means a word, in nats, each over an equal part of the steps."""
    return {
        "name": name,
        "what": learner.what,
        "levels": list(learner.levels),
        "n_steps": learned.n_steps,
        "n_tokens": learned.n_tokens,
        "elapsed_s": learned.elapsed_s,
        "losses": [total / n_words for total, n_words in learned.losses],
    }


def made_with(one: Run, n_weights: int) -> Mapping[str, Any]:
    """All that a result depends on, for its file. Weights are drawn: there is no base model."""
    plan, scale = one.plan, SCALES[one.plan.scale]
    return {
        "schema": SCHEMA,
        **provenance(),
        "control": "mazes",
        "base_model": "none",
        "base_model_hash": "",
        "seed": plan.seed,
        "data": f"mazes of {scale.size} x {scale.size}, drawn by benchmarks/controls/mazes.py",
        "data_hash": one.splits.hash,
        "n_mazes": {"train": plan.train, "held_out": plan.held_out, "test": plan.test},
        "mazes": {"size": scale.size, "least_steps": scale.size, "walls": [LEAST_WALLS, MOST_WALLS]},
        "model": {"n_weights": n_weights, **asdict(scale.shape)},
        "training": {
            "steps": plan.steps,
            "mazes_a_step": MAZES_A_STEP,
            "learning_rate": LEARNING_RATE,
            "warmup": WARMUP,
        },
        "longest_reply": one.longest,
    }

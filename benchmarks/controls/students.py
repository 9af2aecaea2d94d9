"""The three students of the control, and how one of them learns.

All begin with the same weights and see the same mazes in each step; they differ in what they see of the
traces. A step depends on the seed, its number and what came before, so a run that was killed goes on from its
last checkpoint and ends with the same weights. AdamW: Loshchilov and Hutter (arXiv:1711.05101).
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.controls.mazes import Maze, search
from benchmarks.controls.words import FAST, PAD, SLOW, Coder, parts_of, prompt_words, reply_words
from distill.dropping import drawn_parts
from distill.train import MAX_GRADIENT, rate_at, shuffled_items
from judge.hardware import is_quickest_in_bfloat16
from judge.io.writing import write_whole
from judge.progress import Progress, silent

if TYPE_CHECKING:
    from torch import Tensor

CHECKPOINT_EVERY_S = 60.0
LEARNING_RATE, WARMUP = 2e-3, 0.05
BATCH_TOKENS = 2048
"""Of one pass forwards and backwards, with what is padded."""
MULTIPLE = 32
"""Rows are padded to a multiple of so many words."""

N_LOSSES = 20
"""So many means of the loss, each over an equal part of the steps, are kept."""


@dataclass(frozen=True, slots=True)
class Learner:
    """A student before it has learned: how often it sees each level, and what it is asked afterwards.

    `asked` is the first word of its replies by the name of the way, None where it chooses itself. Replies are
    the most probable ones; those of the ways in `sampled` are drawn, too, as in the paper.
    """

    what: str
    levels: tuple[float, ...]
    asked: dict[str, str | None]
    sampled: tuple[str, ...] = ()


LEARNERS = {
    "solution": Learner("solution only", (0.0, 0.0, 0.0, 0.0, 1.0), {"fast": FAST}),
    "complete": Learner("complete trace", (1.0, 0.0, 0.0, 0.0, 0.0), {"slow": SLOW}, ("slow",)),
    "dual": Learner(
        "dual",
        (0.45, 1 / 6, 1 / 6, 1 / 6, 0.05),
        {"fast": FAST, "slow": SLOW, "auto": None},
        ("slow", "auto"),
    ),
}
"""The levels of the last are the paper's for mazes."""


# --- what is learned from --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Row:
    """A maze with the reply that is learned in one step."""

    prompt: tuple[int, ...]
    reply: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.prompt) + len(self.reply)


def row_of(maze: Maze, levels: Sequence[float], seed: int, epoch: int, coder: Coder) -> Row:
    """What an epoch shows of a maze."""
    found = search(maze)
    parts = drawn_parts(parts_of(found), levels, seed, epoch, str(maze))
    return Row(coder.ids(prompt_words(maze)), coder.ids(reply_words(parts, found.path)))


@dataclass(frozen=True, slots=True)
class Course:
    """What a student learns from: mazes, `a_step` of them in each step, and how often each level is drawn."""

    mazes: Sequence[Maze]
    levels: Sequence[float]
    n_steps: int
    a_step: int
    seed: int

    def places(self, number: int) -> list[tuple[int, int]]:
        """The epoch and the maze's number, of each maze of a step; steps are counted from 1.

        Each epoch has the mazes in an order of its own.
        """
        n_mazes = len(self.mazes)
        places = range((number - 1) * self.a_step, number * self.a_step)
        return [
            (place // n_mazes, order_of(n_mazes, self.seed, place // n_mazes)[place % n_mazes])
            for place in places
        ]

    def rows(self, number: int, coder: Coder) -> list[Row]:
        """What a step shows."""
        return [
            row_of(self.mazes[maze], self.levels, self.seed, epoch, coder)
            for epoch, maze in self.places(number)
        ]


@lru_cache(maxsize=2)
def order_of(n_mazes: int, seed: int, epoch: int) -> list[int]:
    return shuffled_items(range(n_mazes), seed, epoch)


def batches_of(rows: Sequence[Row]) -> list[list[Row]]:
    """The rows by their length, in batches of `BATCH_TOKENS` at most, what is padded counted too."""
    batches: list[list[Row]] = []
    for row in sorted(rows, key=len, reverse=True):
        if not batches or padded_length(batches[-1]) * (len(batches[-1]) + 1) > BATCH_TOKENS:
            batches.append([])
        batches[-1].append(row)
    return batches


def padded(rows: Sequence[Row], pad: int) -> tuple[Tensor, Tensor]:
    """The words of a batch, padded behind, and where the next word belongs to a reply: both (rows, words)."""
    import torch

    words = torch.full((len(rows), padded_length(rows)), pad)
    is_asked = torch.zeros(words.shape, dtype=torch.bool)
    for number, row in enumerate(rows):
        words[number, : len(row)] = torch.tensor([*row.prompt, *row.reply])
        is_asked[number, len(row.prompt) - 1 : len(row) - 1] = True
    return words, is_asked


def padded_length(rows: Sequence[Row]) -> int:
    """The length of the longest row, rounded up: each new shape costs time once, so few are used."""
    return -(-max(map(len, rows)) // MULTIPLE) * MULTIPLE


def reply_loss(model: Any, rows: Sequence[Row], pad: int) -> Tensor:
    """The sum of the cross-entropies of all words of the replies, in nats; what is asked is not learned.

    Padding stands behind, where nothing that counts can see it: attention needs the causal mask alone.
    """
    import torch

    words, is_asked = padded(rows, pad)
    with narrow():
        hidden = model.model(input_ids=words, use_cache=False).last_hidden_state[is_asked]
        logits = model.lm_head(hidden)
    wanted = words[:, 1:][is_asked[:, :-1]]
    loss: Tensor = torch.nn.functional.cross_entropy(logits.float(), wanted, reduction="sum")
    return loss


def narrow() -> AbstractContextManager[object]:
    """Matrix products in bfloat16 where this CPU is quicker with them."""
    import torch

    return torch.autocast("cpu", dtype=torch.bfloat16, enabled=is_quickest_in_bfloat16())


# --- the run ---------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Learned:
    """How far a student has come. `losses` are sums over a part of the steps, and the words they are of."""

    n_steps: int = 0
    n_tokens: int = 0
    elapsed_s: float = 0.0
    losses: list[tuple[float, int]] = field(default_factory=list)


class Training:
    """A model, what it learns from, and how far it has come.

    Args:
        path: of the checkpoint, which is the student when all steps are done.
        key: a hash of all that the run depends on; a checkpoint with another key is ignored.
        clock: seconds, for how often checkpoints are written and how long the steps took.
    """

    def __init__(
        self,
        model: Any,
        coder: Coder,
        course: Course,
        path: Path,
        key: str,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        import torch

        self.model, self.coder, self.course = model, coder, course
        self.path, self.key, self.clock = path, key, clock
        self.learned = Learned()
        self.optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE)

    def run(self, progress: Progress = silent, what: str = "learning") -> Learned:
        """All steps, from the last checkpoint on where there is one."""
        self.go_on()
        learned, n_steps = self.learned, self.course.n_steps
        began, before_s = self.clock(), learned.elapsed_s
        saved_at = began
        while learned.n_steps < n_steps:
            self.step()
            learned.elapsed_s = before_s + self.clock() - began
            total, n_words = learned.losses[-1]
            progress(f"{what}, loss {total / n_words:.3f} a word", learned.n_steps, n_steps)
            if learned.n_steps == n_steps or self.clock() - saved_at > CHECKPOINT_EVERY_S:
                self.save()
                saved_at = self.clock()
        return learned

    def step(self) -> None:
        """The next step: every word of its replies counts as much as any other."""
        import torch

        learned, n_steps = self.learned, self.course.n_steps
        number = learned.n_steps + 1
        rows = self.course.rows(number, self.coder)
        n_words = sum(len(row.reply) for row in rows)
        [pad] = self.coder.ids([PAD])
        total = 0.0
        self.model.train()
        for batch in batches_of(rows):
            loss = reply_loss(self.model, batch, pad)
            (loss / n_words).backward()  # type: ignore[no-untyped-call]
            total += loss.item()
        for group in self.optimizer.param_groups:
            group["lr"] = rate_at(number, n_steps, LEARNING_RATE, WARMUP)
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), MAX_GRADIENT)
        self.optimizer.step()
        self.optimizer.zero_grad()
        if (number - 1) * N_LOSSES // n_steps >= len(learned.losses):
            learned.losses.append((0.0, 0))
        before, n_before = learned.losses[-1]
        learned.losses[-1] = (before + total, n_before + n_words)
        learned.n_steps = number
        learned.n_tokens += sum(map(len, rows))

    def save(self) -> None:
        import torch

        held = io.BytesIO()
        state = {
            "key": self.key,
            "learned": asdict(self.learned),
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }
        torch.save(state, held)
        write_whole(self.path, held.getvalue(), parents=True)

    def go_on(self) -> None:
        """Takes up what the checkpoint of this run holds, if there is one."""
        import torch

        if not self.path.is_file():
            return
        state = torch.load(self.path, weights_only=True)
        if state["key"] != self.key:
            return
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.learned = Learned(**state["learned"])

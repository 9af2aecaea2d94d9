"""What a training will take, said before its first step: time and memory, tried on batches of its own."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from distill.train import Training
from distill.within import Speed, look_s, minutes_of, times_of
from judge.provenance import peak_rss

FEW_STEPS = 20
"""A training of fewer steps is over before an estimate would be of use."""

GIB = 1 << 30


def say_estimate(training: Training[Any], say: Callable[[str], None]) -> None:
    """Says how long all steps take and the most memory; nothing of a short training, or one that goes on.

    Nothing is learned from the trial, and its largest batch is among what is tried: where memory is too
    short, that shows now and not after an hour.
    """
    if len(training.steps) < FEW_STEPS or training.checkpoint.is_there:
        return
    began = training.clock()
    lower_s, step_s = training.measured()
    training.try_largest()
    sizes = [batch.n_tokens for batch in training.batches]
    speed = Speed(0.0, lower_s, step_s)
    seconds = times_of(training.steps, sizes, speed)[-1]
    seconds += look_s([batch.n_tokens for batch in training.held_out], len(training.looks), speed)
    tokens = sum(sizes[n] for step in training.steps for n in step)
    memory = peak_memory(training.student.device)
    words = f"{len(training.steps):,} steps over {tokens:,} tokens: about {minutes_of(seconds)}"
    room = f", with {memory / GIB:.1f} GiB of memory at most" if memory else ""
    say(f"{words}{room} (tried for {minutes_of(training.clock() - began)})")


def peak_memory(device: str) -> int | None:
    """The most bytes that this process has had on its device until now; None where that is not known."""
    if device.startswith("cuda"):
        import torch

        return int(torch.cuda.max_memory_allocated())
    with suppress(ImportError):
        return peak_rss()
    return None

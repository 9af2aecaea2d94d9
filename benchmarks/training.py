"""Speed and memory of training a student on a CPU beside plain training, in one run.

`python -m benchmarks.speed --training` trains LoRA of rank 16 on the same rows with both, in turns: ours on
the upper third of the layers, over what the frozen ones give, the plain way on all layers, a row at a time.
Nothing of what is learned is kept.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.processes import one_process
from distill.examples import VerdictRow, batches_of, token_rows
from distill.pairs import read_unlabelled
from distill.recipe import DATA, PairSource, Train
from distill.selection import Example, Part, targets
from distill.student import MODULES, Lora, Student
from distill.train import VerdictTraining
from judge.datasets.oasst import TRAINING_FILE
from judge.models import basemodels
from judge.progress import silent
from judge.provenance import peak_rss
from judge.records import Outcome, Pair

DATA_NAME = "OASST1 (reconstructed)"
PAIRS = PairSource(path=f"{DATA}/{TRAINING_FILE}")
SETTINGS = Train(accumulate=1, epochs=1)
_state: dict[str, Any] = {}  # what a worker process keeps between calls


def sample(data: Path | None, n_pairs: int, seed: int) -> list[Pair]:
    """Some pairs to train on, without labels."""
    pairs, _ = read_unlabelled(PAIRS, data)
    return random.Random(seed).sample(pairs, n_pairs)


def rows_for(student: Student, pairs: Sequence[Pair]) -> list[VerdictRow]:
    """Both orders of each pair; a always wins, which costs as much time as anything else."""
    examples = [Example(pair, targets(Outcome.A), None, Part.TRAIN) for pair in pairs]
    return token_rows(examples, student.encoder, student.end_of_turn, ties=False, is_soft=False)


def start_student(base_model: str) -> None:
    _state["student"] = Student(base_model, Lora(), SETTINGS.max_prompt_tokens, "cpu", "bfloat16")


def train_student(pairs: Sequence[Pair]) -> dict[str, Any]:
    """One epoch as `judge distill train` trains; seconds of it, and of the frozen layers before."""
    student = _state["student"]
    batches = batches_of(rows_for(student, pairs), SETTINGS.batch_tokens)
    with tempfile.TemporaryDirectory() as folder:
        training = VerdictTraining(student, batches, [], [0, 1], SETTINGS, 0, Path(folder), "")
        lower_s = training.lower.prepare(training.batches, silent)
        started = time.perf_counter()
        for number in range(1, len(training.steps) + 1):
            training.step(number)
        elapsed_s = time.perf_counter() - started
    rows = [[row.ids, row.targets] for batch in batches for row in batch]
    return {"elapsed_s": elapsed_s, "lower_s": lower_s, "rows": rows}


def start_plain(base_model: str) -> None:
    """The model with LoRA on all layers, as any script would make it."""
    import peft
    import torch
    import transformers

    folder = basemodels.fetch(base_model).folder
    model: Any = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16)
    config = peft.LoraConfig(r=Lora().rank, lora_alpha=Lora().alpha, target_modules=list(MODULES))
    _state["model"] = peft.get_peft_model(model, config)
    learning = [one for one in _state["model"].parameters() if one.requires_grad]
    _state["optimizer"] = torch.optim.AdamW(learning, lr=SETTINGS.learning_rate)


def train_plain(rows: Sequence[tuple[Sequence[int], Sequence[int]]]) -> float:
    """One epoch, a row and a step at a time; its seconds. Logits are made at the verdict only, as in ours."""
    import torch

    model, optimizer = _state["model"], _state["optimizer"]
    started = time.perf_counter()
    for ids, wanted in rows:
        logits = model(torch.tensor([list(ids)]), use_cache=False, logits_to_keep=len(wanted)).logits[0]
        loss: Any = torch.nn.functional.cross_entropy(logits.float(), torch.tensor(list(wanted)))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return time.perf_counter() - started


def measure(base_model: str, pairs: Sequence[Pair], n_rounds: int) -> dict[str, Any]:
    """Everything that the table shows."""
    rounds = []
    with one_process() as ours, one_process() as plain:
        ours.submit(start_student, base_model).result()
        plain.submit(start_plain, base_model).result()
        warm = ours.submit(train_student, pairs[:1]).result()
        plain.submit(train_plain, warm["rows"]).result()
        for number in range(n_rounds):
            one = ours.submit(train_student, pairs[number::n_rounds]).result()
            rows = one.pop("rows")
            one |= {"tokens": sum(len(ids) for ids, _ in rows), "n_rows": len(rows)}
            one["plain_s"] = plain.submit(train_plain, rows).result()
            rounds.append(one)
            ratio = one["plain_s"] / one["elapsed_s"]
            print(f"round {number + 1} of {n_rounds}: an epoch {ratio:.2f} times as quick", flush=True)
        rss = {"ours": ours.submit(peak_rss).result(), "plain": plain.submit(peak_rss).result()}
    return {"peak_rss": rss, "rounds": rounds}


def table_of(results: Sequence[dict[str, Any]]) -> str:
    """The figures of one result as Markdown. Rates are totals over all rounds."""
    [result] = results
    rounds, rss = result["rounds"], result["peak_rss"]

    def total(name: str) -> float:
        return float(sum(one[name] for one in rounds))

    tokens, epoch_s, lower_s, plain_s = (
        total(name) for name in ("tokens", "elapsed_s", "lower_s", "plain_s")
    )
    least = min(one["plain_s"] / one["elapsed_s"] for one in rounds)
    n_rows, n_epochs = total("n_rows"), Train.model_fields["epochs"].default
    whole = n_epochs * plain_s / (lower_s + n_epochs * epoch_s)
    return f"""\
| {result["base_model"]}, {result["cores"]} cores of {result["cpu"]} | over frozen layers | plain |
| --- | --- | --- |
| trained tokens/s, an epoch | {tokens / epoch_s:.0f} | {tokens / plain_s:.0f} |
| frozen layers, tokens/s, once | {tokens / lower_s:.0f} | - |
| peak memory (RSS), GiB | {rss["ours"] / 2**30:.2f} | {rss["plain"] / 2**30:.2f} |

An epoch is {plain_s / epoch_s:.2f} times as quick as the plain one ({least:.2f} in the worst of {len(rounds)}
rounds); {n_epochs} epochs, with the frozen layers before them, {whole:.2f} times. On {n_rows:.0f} rows of
{tokens / n_rows:.0f} tokens in the mean, {result["data"]}."""

"""Speed and memory of the embedded backend beside the plain loop of other judges, in one run.

`python -m benchmarks.speed` judges real MT-bench pairs in both orders with both, in turns, so that a noisy
machine is noisy to both. Each runs in a process of its own: peak memory and allocator settings stay apart.
Both compute in the dtype that is fastest on this CPU. On a slow one it ends after fewer rounds.
With `--training` it measures training instead, see `benchmarks.training`.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import training
from benchmarks.cpus import class_of, imitated, machine_of
from benchmarks.processes import in_fresh_process, one_process
from distill.examples import VERDICT_TOKENS
from judge.backends import Settings
from judge.backends.embedded import EmbeddedBackend
from judge.datasets.dataset import data_folder
from judge.datasets.mt_bench import voted_pairs
from judge.evaluate import planned, read_batch
from judge.models import basemodels
from judge.provenance import of_sample, peak_rss, provenance, write_result
from judge.records import Order, Pair

MT_BENCH_DATA = "MT-bench turn 1"
LIMIT_S = 240.0
"""No round is begun that would end later than this, in seconds after the first one began."""

COLUMNS = (
    "CPU, dtype",
    "prompt tokens/s",
    "plain loop",
    "times as quick",
    "s a pair, both orders",
    "share of the matmul rate, GFLOP/s",
    "peak memory (plain loop), GiB",
    "imports + load, warm (cold), s",
)
_state: dict[str, Any] = {}  # what a worker process keeps between calls


def start_embedded(base_model: str) -> dict[str, float]:
    """Loads the embedded backend; seconds for the libraries' imports, and for the load after them."""
    started = time.perf_counter()
    import torch  # noqa: F401
    import transformers.models.qwen2.modeling_qwen2  # noqa: F401

    imported = time.perf_counter()
    backend = EmbeddedBackend(Settings(base_model))
    backend.load()
    _state["backend"] = backend
    return {"imports_s": imported - started, "load_s": time.perf_counter() - imported}


def judge_embedded(batches: Sequence[Sequence[Pair]]) -> dict[str, Any]:
    """Judges batches as `judge run` does; seconds, tokens and the segments that were attended to."""
    from judge.backends.loaded import CPU_BATCH_TOKENS
    from judge.backends.packing import batches_of, pack
    from judge.methods.direct import Direct, render_direct

    backend = _state["backend"]
    before = backend.tokens_computed
    started = time.perf_counter()
    entries = [entry for batch in batches for entry in read_batch(batch, Direct(backend))]
    elapsed_s = time.perf_counter() - started

    packings = []
    for batch in batches:
        prompts = [render_direct(pair, order, ties=False) for pair in batch for order in Order]
        sequences = sorted({encoded.ids for encoded in backend.encode(prompts)})
        packings += [pack(sequences[b.start : b.stop]) for b in batches_of(sequences, CPU_BATCH_TOKENS)]
    segments = [segment for packing in packings for segment in packing.segments]
    seen = [(s.end - s.start, sum(end - start for start, end in s.above)) for s in segments]
    return {
        "elapsed_s": elapsed_s,
        "tokens": sum(entry.reading.tokens_in for entry in entries),
        "tokens_computed": backend.tokens_computed - before,
        "segments": seen,
        "rows": round(statistics.mean(len(packing.ids) for packing in packings)),
    }


def start_plain(base_model: str, dtype: str) -> float:
    """Loads the model as any script would, in this dtype; seconds."""
    started = time.perf_counter()
    import torch
    import transformers

    logging: Any = transformers.utils.logging
    logging.disable_progress_bar()
    folder = basemodels.fetch(base_model).folder
    _state["tokenizer"] = transformers.AutoTokenizer.from_pretrained(folder)
    model: Any = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=getattr(torch, dtype))
    _state["model"] = model.eval()
    return time.perf_counter() - started


def judge_plain(batches: Sequence[Sequence[Pair]]) -> dict[str, Any]:
    """One prompt at a time through `generate`, the verdict's four tokens decoded."""
    import torch

    from judge.methods.direct import render_direct

    model, tokenizer = _state["model"], _state["tokenizer"]
    n_tokens = 0
    started = time.perf_counter()
    for pair in (pair for batch in batches for pair in batch):
        for order in Order:
            prompt = render_direct(pair, order, ties=False)
            messages = [
                {"role": role, "content": "".join(span.text for span in spans)}
                for role, spans in prompt.messages
            ]
            text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
            inputs = tokenizer(text, return_tensors="pt", add_special_tokens=False)
            with torch.inference_mode():
                model.generate(**inputs, max_new_tokens=VERDICT_TOKENS, do_sample=False)
            n_tokens += inputs["input_ids"].shape[1]
    return {"elapsed_s": time.perf_counter() - started, "tokens": n_tokens}


def flops_of(config: dict[str, int], seen: Sequence[tuple[int, int]]) -> float:
    """Floating-point operations of prefill: 2 x non-embedding parameters x tokens, and causal attention.

    Args:
        config: sizes from the model's config, as in `matmul_shapes`.
        seen: of each segment, its own tokens and the earlier ones it attends to.
    """
    weights = sum(k * n for k, n in matmul_shapes(config)) * config["layers"]
    n_tokens = sum(own for own, _ in seen)
    keys_seen = sum(own * above + own * (own + 1) / 2 for own, above in seen)
    attention = 4 * config["heads"] * config["head_size"] * config["layers"] * keys_seen
    return 2 * weights * n_tokens + attention


def matmul_shapes(config: dict[str, int]) -> list[tuple[int, int]]:
    """(inputs, outputs) of the linear layers of one block."""
    hidden, inner = config["hidden"], config["inner"]
    heads, kv = config["heads"] * config["head_size"], config["kv_heads"] * config["head_size"]
    return [
        (hidden, heads),
        (hidden, kv),
        (hidden, kv),
        (heads, hidden),
        (hidden, inner),
        (hidden, inner),
        (inner, hidden),
    ]


def matmul_rate(config: dict[str, int], n_rows: int, dtype: str, seconds: float = 2.0) -> float:
    """Best rate of torch on one block's matrix shapes, in FLOP/s."""
    import torch

    n_copies = 4  # more than the cache holds, as in a model
    work: list[Callable[[], Any]] = []
    for inputs, outputs in matmul_shapes(config):
        x = torch.randn(n_rows, inputs).to(getattr(torch, dtype))
        weights = [torch.randn(outputs, inputs).to(x.dtype) for _ in range(n_copies)]
        work += [partial(torch.nn.functional.linear, x, w) for w in weights]
    operations = 2 * n_rows * sum(k * n for k, n in matmul_shapes(config)) * n_copies
    best = 0.0
    deadline = time.perf_counter() + seconds
    with torch.inference_mode():
        while time.perf_counter() < deadline:
            started = time.perf_counter()
            for multiply in work:
                multiply()
            best = max(best, operations / (time.perf_counter() - started))
    return best


def forget_cached(folder: Path) -> None:
    """Drops a folder's files from the system's page cache, so that the next load reads the disk."""
    for path in folder.iterdir():
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def measure(base_model: str, pairs: Sequence[Pair], n_rounds: int) -> dict[str, Any]:
    """Everything that the table shows; `judged` are the pairs of the rounds that `LIMIT_S` had room for."""
    folder = basemodels.fetch(base_model).folder
    config = sizes_of(folder)
    backend = EmbeddedBackend(Settings(base_model, device="cpu"))
    dtype = backend.engine.dtype
    forget_cached(folder)
    cold = in_fresh_process(start_embedded, base_model)
    warm = in_fresh_process(start_embedded, base_model)
    batches = planned(pairs, backend.batch_characters)
    rounds: list[dict[str, Any]] = []
    judged: list[Pair] = []
    with one_process() as embedded, one_process() as plain, one_process() as matrices:
        embedded.submit(start_embedded, base_model).result()
        plain.submit(start_plain, base_model, dtype).result()
        for worker, judge in ((embedded, judge_embedded), (plain, judge_plain)):
            worker.submit(judge, [pairs[:1]]).result()
        started = time.perf_counter()
        for number in range(n_rounds):
            part = batches[number::n_rounds]
            ours = embedded.submit(judge_embedded, part).result()
            rates = [matrices.submit(matmul_rate, config, ours["rows"], dtype).result()]
            theirs = plain.submit(judge_plain, part).result()
            rates.append(matrices.submit(matmul_rate, config, ours["rows"], dtype).result())
            ours["flops"] = flops_of(config, ours.pop("segments"))
            rounds.append({"embedded": ours, "plain": theirs, "matmul_flops": max(rates)})
            judged += [pair for batch in part for pair in batch]
            print(f"round {number + 1} of {n_rounds}: {line_of(rounds[-1])}", flush=True)
            if (time.perf_counter() - started) * (number + 2) / (number + 1) > LIMIT_S:
                break
        rss = {"embedded": embedded.submit(peak_rss).result(), "plain": plain.submit(peak_rss).result()}
    return {
        "judged": judged,
        "dtype": dtype,
        "load_cold": cold,
        "load_warm": warm,
        "peak_rss": rss,
        "rounds": [summary_of(one) for one in rounds],
    }


def summary_of(one: dict[str, Any]) -> dict[str, Any]:
    ours, theirs = one["embedded"], one["plain"]
    return {
        "tokens": ours["tokens"],
        "tokens_computed": ours["tokens_computed"],
        "embedded_s": ours["elapsed_s"],
        "plain_s": theirs["elapsed_s"],
        "plain_tokens": theirs["tokens"],
        "matmul_flops": one["matmul_flops"],
        "achieved_flops": ours["flops"] / ours["elapsed_s"],
        "rows": ours["rows"],
    }


def line_of(one: dict[str, Any]) -> str:
    summary = summary_of(one)
    return (
        f"embedded {summary['tokens'] / summary['embedded_s']:.0f} prompt tokens/s, "
        f"plain loop {summary['plain_tokens'] / summary['plain_s']:.0f}, "
        f"{summary['plain_s'] / summary['embedded_s']:.2f} times as quick, "
        f"{100 * summary['achieved_flops'] / summary['matmul_flops']:.0f} % of the matmul rate "
        f"({summary['matmul_flops'] / 1e9:.0f} GFLOP/s)"
    )


def sizes_of(folder: Path) -> dict[str, int]:
    """The sizes that FLOPs are counted from, as the model's config names them."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    heads = config["num_attention_heads"]
    return {
        "hidden": config["hidden_size"],
        "inner": config["intermediate_size"],
        "layers": config["num_hidden_layers"],
        "heads": heads,
        "kv_heads": config["num_key_value_heads"],
        "head_size": config.get("head_dim") or config["hidden_size"] // heads,
    }


def table_of(results: Sequence[Mapping[str, Any]]) -> str:
    """A row a result: a class of CPU. Rates are totals over all rounds."""
    lines = [f"| {' | '.join(COLUMNS)} |", "| --- " * len(COLUMNS) + "|"]
    lines += [f"| {' | '.join(row_of(one))} |" for one in results]
    return "\n".join([*lines, "", *(f"- {caption_of(one)}" for one in results)])


def row_of(result: Mapping[str, Any]) -> list[str]:
    """The cells of a class of CPU."""
    rss, cold, warm = result["peak_rss"], result["load_cold"], result["load_warm"]
    ours_s, theirs_s = total(result, "embedded_s"), total(result, "plain_s")
    return [
        f"{class_of(result)}, {result['dtype']}",
        f"{total(result, 'tokens') / ours_s:.0f}",
        f"{total(result, 'plain_tokens') / theirs_s:.0f}",
        f"{theirs_s / ours_s:.2f}",
        f"{ours_s / result['n_pairs']:.2f}",
        f"{100 * share_of(result):.0f} % of {best_rate(result) / 1e9:.0f}",
        f"{rss['embedded'] / 2**30:.2f} ({rss['plain'] / 2**30:.2f})",
        f"{warm['imports_s']:.1f} + {warm['load_s']:.1f} ({cold['load_s']:.1f})",
    ]


def caption_of(result: Mapping[str, Any]) -> str:
    """What a row stands on, in one sentence."""
    tokens, computed = total(result, "tokens"), total(result, "tokens_computed")
    sample = f"{result['n_pairs']} pairs of {result['data']}, {result['base_model']}"
    counts = f"of {tokens:,.0f} prompt tokens {computed:,.0f} were computed"
    return f"{class_of(result)}: {machine_of(result)}; {sample}; {counts}."


def total(result: Mapping[str, Any], name: str) -> float:
    return float(sum(one[name] for one in result["rounds"]))


def best_rate(result: Mapping[str, Any]) -> float:
    """The best matrix product of all rounds: noise slows the measured rate, which then flatters."""
    return float(max(one["matmul_flops"] for one in result["rounds"]))


def share_of(result: Mapping[str, Any]) -> float:
    """The median round's share of that rate, over the tokens that were computed."""
    return float(statistics.median(one["achieved_flops"] for one in result["rounds"]) / best_rate(result))


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure our ways beside the plain ones.")
    parser.add_argument("--training", action="store_true", help="measure training instead of judging")
    parser.add_argument("--base-model", default="qwen2.5-coder-0.5b")
    parser.add_argument("--pairs", type=int, default=100, help="how many pairs")
    parser.add_argument("--rounds", type=int, default=5, help="in how many alternating parts")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    given = parser.parse_args()
    data = data_folder(given.data_dir)
    if given.training:
        pairs = training.sample(data, given.pairs, given.seed)
        schema, name = "training-speed/1", training.DATA_NAME
        measured, table = training.measure, training.table_of
    else:
        pairs = random.Random(given.seed).sample(voted_pairs(data), given.pairs)
        schema, name = "speed/2", MT_BENCH_DATA
        measured, table = measure, table_of
    figures = measured(given.base_model, pairs, given.rounds)
    result = {
        "schema": f"four-token-judge/{schema}",
        **provenance(),
        "imitated": imitated(),
        **of_sample(given.base_model, name, figures.pop("judged", pairs), given.seed),
        **figures,
    }
    print(table([result]))
    write_result(given.out, result)


if __name__ == "__main__":
    main()

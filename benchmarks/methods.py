"""What each judging method costs on each engine, side by side in one run.

`python -m benchmarks.methods --engine embedded --engine vllm=.venv-vllm/bin/python` judges the same real
MT-bench pairs in both orders with every method on every engine, in turns. Each engine is a process of its
own, in the environment it needs: vLLM's, or one with `xllamacpp` for `llama.cpp=PYTHON`. What branch costs is
counted apart: it is asked once a question. With `--dual ADAPTER` an adapter that has learned to be fast and
slow is measured beside them, in each of its ways.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from benchmarks import llamacpp
from benchmarks.cpus import class_of, imitated, machine_of
from benchmarks.speed import MT_BENCH_DATA, matmul_rate, matmul_shapes, sizes_of
from judge.backends import Backend, Completion, Sampling, Settings, load_backend
from judge.backends.vllm_engine import VllmBackend
from judge.datasets.dataset import data_folder
from judge.datasets.mt_bench import voted_pairs
from judge.evaluate import planned
from judge.forms.reading import read_pairs
from judge.hardware import is_quickest_in_bfloat16
from judge.io.pairs import write_pairs
from judge.methods import DUAL, MethodSettings, load_method
from judge.models import basemodels
from judge.models.adapters import read_adapter
from judge.provenance import of_sample, provenance, write_result
from judge.records import Judgment, Order, Prompt, Unparsed

METHODS = ("direct", "cot", "bsm", "bsm-text")
"""Those of the bare base model."""

IN_TABLE = ("direct", "dual", "dual-auto", "dual-slow", *METHODS[1:])


class Counting:
    """Counts the tokens that a backend writes one by one; choices read off probabilities do not count.

    Methods are given the backend itself: what it can do beside choosing and writing, they use.
    """

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.tokens_written = 0
        self._complete = backend.complete
        backend.complete = self._counted  # type: ignore[method-assign]

    def _counted(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[Completion | Unparsed]:
        replies = self._complete(prompts, sampling)
        self.tokens_written += sum(reply.tokens_out for reply in replies)
        return replies

    def forget(self) -> None:
        """Clears cached prompt beginnings, so that no method profits from the one before it."""
        if isinstance(self.backend, VllmBackend):
            self.backend.forget()

    def spent(self) -> tuple[float, int, int]:
        """Seconds on the clock, prompt tokens computed and tokens written so far."""
        return time.perf_counter(), self.backend.tokens_computed, self.tokens_written


def answer(counted: Counting, method: str, pairs_file: str) -> dict[str, Any]:
    """What one method costs over a file of pairs: `shared` is what was asked once a question."""
    pairs = read_pairs(pairs_file)
    judge = load_method(method, counted.backend, MethodSettings())
    counted.forget()
    start = counted.spent()
    judge.prepare(pairs)
    prepared = counted.spent()
    readings = [
        reading
        for batch in planned(pairs, judge.batch_characters)
        for reading in judge.read([(pair, order) for pair in batch for order in Order])
    ]
    end = counted.spent()
    names = ("elapsed_s", "tokens_computed", "tokens_written")
    return {
        "n_pairs": len(pairs),
        "n_questions": len({pair.prompt for pair in pairs}),
        "n_unparsed": sum(not isinstance(reading, Judgment) for reading in readings),
        "tokens_in": sum(reading.tokens_in for reading in readings),
        "tokens_out": sum(reading.tokens_out for reading in readings),
        "judging": {name: after - before for name, before, after in zip(names, prepared, end, strict=True)},
        "shared": {name: after - before for name, before, after in zip(names, start, prepared, strict=True)},
    }


def work(spec: str, base_model: str, dual: str) -> None:
    """A worker: one request per line on standard input, one answer per line on standard output.

    Args:
        spec: a backend, or "llama.cpp:FILE" with a GGUF.
        dual: the folder of the adapter that `DUAL` is asked of, or "".
    """
    name, _, gguf = spec.partition(":")
    served = llamacpp.serving(Path(gguf), base_model) if name == llamacpp.ENGINE else nullcontext(spec)
    with served as backend_spec:
        bare, taught = (
            Counting(load_backend(backend_spec, Settings(base_model, adapter=adapter)))
            for adapter in ("", dual)
        )
        for line in sys.stdin:
            asked = json.loads(line)
            print(json.dumps(answer(taught if asked["method"] in DUAL else bare, **asked)), flush=True)


class Worker:
    """An engine in a process of its own."""

    def __init__(self, spec: str, python: str, base_model: str, dual: str) -> None:
        command = [python, "-m", "benchmarks.methods", "--worker", spec, "--base-model", base_model]
        command += ["--dual", dual] if dual else []
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, method: str, pairs_file: Path) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"method": method, "pairs_file": str(pairs_file)}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"an engine stopped with status {self._process.wait()}; its words are above")
        answered: dict[str, Any] = json.loads(line)
        return answered

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


@contextmanager
def workers(
    engines: Mapping[str, str], base_model: str, dual: str, folder: Path
) -> Iterator[dict[str, Worker]]:
    """A worker for each engine, by its name; `folder` takes the file that llama.cpp reads."""
    specs = {name: name for name in engines}
    if llamacpp.ENGINE in specs:
        gguf = folder / "model.gguf"
        basemodels.write_gguf(base_model, gguf)
        specs[llamacpp.ENGINE] += f":{gguf}"
    started = {name: Worker(specs[name], python, base_model, dual) for name, python in engines.items()}
    try:
        yield started
    finally:
        for worker in started.values():
            worker.close()


def measure(
    engines: Mapping[str, str],
    methods: Sequence[str],
    base_model: str,
    files: Sequence[Path],
    warm_up: Path,
    dual: str = "",
) -> dict[str, Any]:
    """Each method on every engine over every file, the engines in turns; and the best matmul rate.

    That rate is None where the CPU is not quicker in bfloat16.
    """
    config = sizes_of(basemodels.fetch(base_model).folder)
    parts: dict[str, list[dict[str, Any]]] = {}
    rates = []
    with workers(engines, base_model, dual, warm_up.parent) as started:
        for worker in started.values():
            for method in methods:
                worker.ask(method, warm_up)
        for number, file in enumerate(files, start=1):
            if is_quickest_in_bfloat16():
                rates.append(matmul_rate(config, 2048, "bfloat16"))
            for method in methods:
                for name, worker in started.items():
                    one = worker.ask(method, file)
                    parts.setdefault(f"{name} {method}", []).append(one)
                    print(f"part {number} of {len(files)}, {name}, {method}: {line_of(one)}", flush=True)
    weights = sum(k * n for k, n in matmul_shapes(config)) * config["layers"]
    return {
        "matmul_bf16": max(rates, default=None),
        "flops_per_token": 2 * weights,
        "rows": [total_of(name, ones) for name, ones in parts.items()],
    }


def line_of(one: dict[str, Any]) -> str:
    judging, shared = one["judging"], one["shared"]
    return (
        f"{judging['elapsed_s'] / one['n_pairs']:.2f} s a pair, {judging['tokens_computed']} prompt tokens, "
        f"{judging['tokens_written']} written; once a question {shared['elapsed_s']:.1f} s"
    )


def total_of(name: str, ones: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The sums over all parts of one engine and method."""
    engine, method = name.split(" ")
    total: dict[str, Any] = {"engine": engine, "method": method}
    for key in ("n_pairs", "n_questions", "n_unparsed", "tokens_in", "tokens_out"):
        total[key] = sum(one[key] for one in ones)
    for part in ("judging", "shared"):
        total[part] = {key: sum(one[part][key] for one in ones) for key in ones[0][part]}
    return total


def table_of(result: dict[str, Any]) -> str:
    """The figures as Markdown: per pair in both orders, and what is asked once a question apart."""
    rows = result["rows"]
    seconds = {(r["engine"], r["method"]): r["judging"]["elapsed_s"] / r["n_pairs"] for r in rows}
    lines = [
        "| method | engine | s a pair (pairs/s) | times direct | prompt tokens sent | computed "
        "| tokens written | unreadable | of the matmul rate | once a question |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in sorted(rows, key=lambda r: IN_TABLE.index(r["method"])):
        judging, shared, n = row["judging"], row["shared"], row["n_pairs"]
        each = seconds[row["engine"], row["method"]]
        times = each / seconds[row["engine"], "direct"]
        n_tokens = judging["tokens_computed"] + judging["tokens_written"]
        reached, best = n_tokens * result["flops_per_token"] / judging["elapsed_s"], result["matmul_bf16"]
        once = "-"
        if shared["tokens_written"]:
            written = shared["tokens_written"] / row["n_questions"]
            once = f"{shared['elapsed_s'] / row['n_questions']:.1f} s, {written:.0f} tokens written"
        lines.append(
            f"| {row['method']} | {row['engine']} | {each:.2f} ({1 / each:.2f}) | {times:.1f} "
            f"| {row['tokens_in'] / n:,.0f} | {judging['tokens_computed'] / n:,.0f} "
            f"| {judging['tokens_written'] / n:,.0f} | {100 * row['n_unparsed'] / (2 * n):.0f} % "
            f"| {f'{100 * reached / best:.0f} %' if best else '-'} | {once} |"
        )
    machine = f"{result['base_model']}, {result['n_pairs']} pairs, {result['cores']} cores of {result['cpu']}"
    if best := result["matmul_bf16"]:
        machine += f", {best / 1e9:.0f} GFLOP/s as the bf16 matmul rate"
    lines += ["", f"{machine}."]
    return "\n".join(lines)


def engines_table(results: Sequence[Mapping[str, Any]]) -> str:
    """`direct` on each engine beside the embedded one, by class of CPU, as Markdown."""
    lines = [
        "| CPU | engine | s a pair, both orders | prompt tokens sent | computed | embedded: times as quick |",
        "| --- " * 6 + "|",
    ]
    for result in results:
        rows = {row["engine"]: row for row in result["rows"] if row["method"] == "direct"}
        seconds = {name: row["judging"]["elapsed_s"] / row["n_pairs"] for name, row in rows.items()}
        for name, row in rows.items():
            n, times = row["n_pairs"], seconds[name] / seconds["embedded"]
            lines.append(
                f"| {class_of(result)} | {name} | {seconds[name]:.2f} | {row['tokens_in'] / n:,.0f} "
                f"| {row['judging']['tokens_computed'] / n:,.0f} "
                f"| {'-' if name == 'embedded' else f'{times:.2f}'} |"
            )
    captions = [
        f"- {class_of(one)}: {one['n_pairs']} pairs, {one['base_model']}, {machine_of(one)}."
        for one in results
    ]
    return "\n".join([*lines, "", *captions])


def engine_of(text: str) -> tuple[str, str]:
    """A backend's name and the interpreter it runs under, from "name" or "name=python"."""
    name, _, python = text.partition("=")
    return name, python or sys.executable


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure what each method costs on each engine.")
    parser.add_argument(
        "--engine", action="append", help="embedded, or vllm=PYTHON and llama.cpp=PYTHON with the interpreter"
    )
    parser.add_argument("--method", action="append", choices=METHODS, help="one of them; all by default")
    parser.add_argument("--dual", default="", metavar="FOLDER", help="an adapter that is fast and slow")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--base-model", default="qwen2.5-coder-0.5b")
    parser.add_argument("--pairs", type=int, default=24, help="how many MT-bench pairs (turn 1)")
    parser.add_argument("--parts", type=int, default=3, help="in how many alternating parts")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    arguments = parser.parse_args()
    if arguments.worker:
        work(arguments.worker, arguments.base_model, arguments.dual)
        return
    every = voted_pairs(data_folder(arguments.data_dir))
    warm_up, *pairs = random.Random(arguments.seed).sample(every, arguments.pairs + 1)
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / f"part-{number}.jsonl" for number in range(arguments.parts)]
        for number, file in enumerate(files):
            write_pairs(file, pairs[number :: arguments.parts])
        first = Path(folder) / "warm-up.jsonl"
        write_pairs(first, [warm_up])
        engines = dict(map(engine_of, arguments.engine or ["embedded"]))
        methods = [*(arguments.method or METHODS), *(DUAL if arguments.dual else ())]
        measured = measure(engines, methods, arguments.base_model, files, first, arguments.dual)
    adapter = read_adapter(arguments.dual) if arguments.dual else None
    result = {
        "schema": "four-token-judge/methods/1",
        **provenance(),
        "imitated": imitated(),
        **of_sample(arguments.base_model, MT_BENCH_DATA, pairs, arguments.seed),
        **({"adapter": adapter.name, "adapter_hash": adapter.hash} if adapter else {}),
        **measured,
    }
    print(table_of(result))
    write_result(arguments.out, result)


if __name__ == "__main__":
    main()

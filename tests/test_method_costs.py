"""The table of what methods cost: its sums, and its workers with a judge that needs no model."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from types import SimpleNamespace

from pairs import FOUR_PAIRS

from benchmarks import llamacpp
from benchmarks.methods import Counting, answer, engine_of, engines_table, table_of, total_of, workers
from judge.backends import Settings, load_backend
from judge.backends.scripted import ScriptedBackend
from judge.io.pairs import write_pairs


def test_branch_is_counted_apart_and_only_decoded_tokens_are_written(tmp_path):
    write_pairs(tmp_path / "pairs.jsonl", FOUR_PAIRS)
    costs = {}
    for method in ("direct", "bsm", "bsm-text"):
        backend = Counting(load_backend("scripted:longer"))
        costs[method] = answer(backend, method, str(tmp_path / "pairs.jsonl"))
    assert costs["direct"]["shared"]["tokens_written"] == 0
    assert costs["direct"]["judging"]["tokens_written"] == 0
    assert costs["bsm"]["judging"]["tokens_written"] == 0
    assert costs["bsm-text"]["judging"]["tokens_written"] == costs["bsm-text"]["tokens_out"] > 0
    assert costs["bsm"]["shared"]["tokens_written"] == costs["bsm-text"]["shared"]["tokens_written"] > 0
    assert costs["bsm"]["n_questions"] == 4
    assert costs["bsm"]["tokens_in"] > costs["direct"]["tokens_in"]


def test_a_method_is_measured_with_all_that_its_backend_can(tmp_path):
    class Remembering(ScriptedBackend):
        n_times = 0

        @contextmanager
        def remembering(self):
            self.n_times += 1
            yield

    write_pairs(tmp_path / "pairs.jsonl", FOUR_PAIRS)
    backend = Remembering.from_settings("longer", Settings("none"))
    answer(Counting(backend), "dual-auto", str(tmp_path / "pairs.jsonl"))
    assert backend.n_times > 0


def test_an_engine_in_a_process_of_its_own_answers_as_this_one(tmp_path):
    write_pairs(tmp_path / "pairs.jsonl", FOUR_PAIRS)
    with workers({"scripted:longer": sys.executable}, "none", "", tmp_path) as started:
        there = started["scripted:longer"].ask("bsm", tmp_path / "pairs.jsonl")
        fast = started["scripted:longer"].ask("dual", tmp_path / "pairs.jsonl")
    assert (fast["n_unparsed"], fast["judging"]["tokens_written"]) == (0, 0)
    here = answer(Counting(load_backend("scripted:longer")), "bsm", str(tmp_path / "pairs.jsonl"))
    for part in ("judging", "shared"):
        assert there[part].pop("elapsed_s") > 0
        here[part].pop("elapsed_s")
    assert there == here


def test_the_table_divides_by_pairs_by_questions_and_by_the_direct_judge_of_the_same_engine():
    def one(seconds, written, shared_written):
        return {
            "n_pairs": 2,
            "n_questions": 1,
            "n_unparsed": 1,
            "tokens_in": 100,
            "tokens_out": 8,
            "judging": {"elapsed_s": seconds, "tokens_computed": 80, "tokens_written": written},
            "shared": {"elapsed_s": 3.0, "tokens_computed": 30, "tokens_written": shared_written},
        }

    rows = [total_of("e direct", [one(1.0, 0, 0)] * 2), total_of("e bsm", [one(1.5, 20, 60)] * 2)]
    result = {"rows": rows, "flops_per_token": 10, "matmul_bf16": 1000.0, "n_pairs": 4}
    table = table_of(result | {"base_model": "m", "cores": 2, "cpu": "c"}).splitlines()
    assert table[2] == "| direct | e | 0.50 (2.00) | 1.0 | 50 | 40 | 0 | 25 % | 80 % | - |"
    assert (
        table[3] == "| bsm | e | 0.75 (1.33) | 1.5 | 50 | 40 | 10 | 25 % | 67 % | 3.0 s, 60 tokens written |"
    )

    without = table_of(result | {"base_model": "m", "cores": 2, "cpu": "c", "matmul_bf16": None}).splitlines()
    assert without[2] == "| direct | e | 0.50 (2.00) | 1.0 | 50 | 40 | 0 | 25 % | - | - |"
    assert without[-1] == "m, 4 pairs, 2 cores of c."


def test_engines_are_held_against_the_embedded_one_by_class_of_cpu():
    def row(engine, seconds, method="direct"):
        judging = {"elapsed_s": seconds, "tokens_computed": 3000, "tokens_written": 0}
        return {"engine": engine, "method": method, "n_pairs": 4, "tokens_in": 4444, "judging": judging}

    machine = {"instruction_sets": ["avx2"], "imitated": {}, "cores": 2, "cpu": "c"}
    machine |= {"n_pairs": 4, "base_model": "m"}
    rows = [row("embedded", 4.0), row("llama.cpp", 6.0), row("llama.cpp", 99.0, "cot")]
    lines = engines_table([machine | {"rows": rows}]).splitlines()
    assert lines[2:] == [
        "| AVX2 | embedded | 1.00 | 1,111 | 750 | - |",
        "| AVX2 | llama.cpp | 1.50 | 1,111 | 750 | 1.50 |",
        "",
        "- AVX2: 4 pairs, m, 2 cores of c.",
    ]


def test_llama_cpp_is_asked_as_a_server_on_all_cores(monkeypatch, tmp_path):
    started = []

    class Server:
        listening_address = "http://127.0.0.1:1234"

        def __init__(self, params):
            started.append(params)

    params = SimpleNamespace(
        model=SimpleNamespace(), cpuparams=SimpleNamespace(), cpuparams_batch=SimpleNamespace()
    )
    module = SimpleNamespace(CommonParams=lambda: params, Server=Server)
    monkeypatch.setitem(sys.modules, "xllamacpp", module)
    with llamacpp.serving(tmp_path / "model.gguf", "toy") as spec:
        assert spec == "server:http://127.0.0.1:1234/v1"
    assert started == [params]
    assert params.model.path == str(tmp_path / "model.gguf")
    assert params.cpuparams.n_threads == params.cpuparams_batch.n_threads == os.cpu_count()
    assert params.n_ctx == params.n_parallel * llamacpp.SLOT_TOKENS


def test_an_engine_may_name_its_interpreter():
    assert engine_of("vllm=env/bin/python") == ("vllm", "env/bin/python")
    assert engine_of("embedded") == ("embedded", sys.executable)

from __future__ import annotations

import pytest
from models import make_model

from benchmarks.cpus import imitated
from benchmarks.speed import class_of, flops_of, matmul_rate, sizes_of, table_of

ONE_LAYER = {"hidden": 4, "inner": 8, "layers": 1, "heads": 2, "kv_heads": 1, "head_size": 2}


def test_operations_are_two_a_weight_and_token_and_four_a_head_dimension_and_key_seen():
    weights = 4 * 4 + 4 * 2 + 4 * 2 + 4 * 4 + 3 * 4 * 8  # q, k, v, o; gate, up, down
    keys_seen = 1 + 2 + 3  # three tokens, each sees itself and those before
    assert flops_of(ONE_LAYER, [(3, 0)]) == 2 * weights * 3 + 4 * 2 * 2 * keys_seen


def test_a_shared_beginning_costs_its_weights_once_and_its_attention_each_time():
    apart = flops_of(ONE_LAYER, [(5, 0), (6, 0)])
    shared = flops_of(ONE_LAYER, [(4, 0), (1, 4), (2, 4)])
    head_once = flops_of(ONE_LAYER, [(4, 0)])
    assert shared == apart - head_once


@pytest.mark.slow
def test_the_sizes_are_those_of_the_models_own_weights(tmp_path):
    from transformers import AutoModelForCausalLM

    folder = make_model(tmp_path / "tiny")
    model = AutoModelForCausalLM.from_pretrained(folder)
    matrices = [weight for name, weight in model.model.layers.named_parameters() if "proj.weight" in name]
    sizes = sizes_of(folder)
    no_attention = flops_of(sizes, [(1, 0)]) - 4 * sizes["heads"] * sizes["head_size"] * sizes["layers"]
    assert no_attention == 2 * sum(weight.numel() for weight in matrices)


@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
def test_the_matmul_rate_is_a_positive_number(dtype):
    pytest.importorskip("torch")
    config = {**ONE_LAYER, "hidden": 64, "inner": 64, "head_size": 32}
    assert matmul_rate(config, 64, dtype, seconds=0.05) > 0


def result_on(*sets, dtype="bfloat16", **changes):
    one = {"tokens": 100, "tokens_computed": 80, "plain_tokens": 100, "rows": 40}
    one |= {"embedded_s": 2.0, "plain_s": 4.0, "matmul_flops": 2e11, "achieved_flops": 1e11}
    slow = one | {"matmul_flops": 1e11}  # a disturbed measurement of the rate must not flatter
    result = {"rounds": [one, slow], "n_pairs": 8, "base_model": "m", "cores": 2, "cpu": "c", "data": "d"}
    result |= {"peak_rss": {"embedded": 2**31, "plain": 2**30}, "dtype": dtype, "imitated": {}}
    result |= {"load_warm": {"imports_s": 3.0, "load_s": 2.0}, "load_cold": {"imports_s": 3.0, "load_s": 9.0}}
    return result | {"instruction_sets": list(sets)} | changes


def test_the_table_divides_totals_by_totals():
    table = table_of([result_on("avx2", "avx512_bf16", "avx512f")])
    row = "| AVX512-BF16, bfloat16 | 50 | 25 | 2.00 | 0.50 | 50 % of 200 | 2.00 (1.00) | 3.0 + 2.0 (9.0) |"
    assert row in table.splitlines()
    assert "- AVX512-BF16: 2 cores of c; 8 pairs of d, m; of 200 prompt tokens 160 were computed." in table


def test_each_class_of_cpu_has_a_row_and_says_what_it_was_imitated_with():
    older = result_on("avx2", dtype="float32", imitated={"ONEDNN_MAX_CPU_ISA": "AVX2"})
    table = table_of([result_on("avx2", "amx_bf16"), older]).splitlines()
    assert [line.split(" | ")[0] for line in table[2:4]] == ["| AMX, bfloat16", "| AVX2, float32"]
    assert "AVX2: 2 cores of c, ONEDNN_MAX_CPU_ISA=AVX2; 8 pairs" in table[-1]


def test_what_makes_mkl_compute_as_on_an_older_cpu_is_named_too(monkeypatch):
    monkeypatch.setenv("MKL_ENABLE_INSTRUCTIONS", "AVX2")
    assert imitated()["MKL_ENABLE_INSTRUCTIONS"] == "AVX2"


@pytest.mark.parametrize(
    ("sets", "named"),
    [
        ((), "other"),
        (("avx2", "avx_vnni"), "AVX2"),
        (("bf16", "i8mm"), "ARM with i8mm"),
        (("avx2", "avx512f"), "AVX512"),
    ],
)
def test_a_cpu_is_named_by_the_best_that_it_has(sets, named):
    assert class_of(result_on(*sets)) == named

from __future__ import annotations

import pytest
from models import make_model

from benchmarks.speed import flops_of, matmul_rate, sizes_of, table_of

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


@pytest.mark.parametrize("dtype", ["bfloat16", "int8"])
def test_the_matmul_rate_is_a_positive_number(dtype):
    pytest.importorskip("torch")
    config = {**ONE_LAYER, "hidden": 64, "inner": 64, "head_size": 32}
    assert matmul_rate(config, 64, dtype, seconds=0.05) > 0


def test_the_table_divides_totals_by_totals():
    one = {"tokens": 100, "tokens_computed": 80, "plain_tokens": 100, "rows": 40}
    one |= {"embedded_s": 2.0, "plain_s": 4.0, "matmul_bf16": 2e11, "achieved_flops": 1e11}
    slow = one | {"matmul_bf16": 1e11}  # a disturbed measurement of the rate must not flatter
    result = {"rounds": [one, slow], "n_pairs": 8, "base_model": "m", "cores": 2, "cpu": "c"}
    result |= {"peak_rss": {"embedded": 2**31, "plain": 2**30}, "matmul_int8": 1e12}
    result |= {"load_warm": {"imports_s": 3.0, "load_s": 2.0}, "load_cold": {"imports_s": 3.0, "load_s": 9.0}}
    table = table_of(result)
    assert "| prompt tokens/s | 50 | 25 |" in table
    assert "| pairs/s, both orders | 2.00 | 1.00 |" in table
    assert "| load, warm (cold), s | 2.0 (9.0) |" in table
    assert "2.00 times as quick" in table
    assert "50.0 % of the best bf16 matmul rate" in table

"""What judge tests cost, as the CI page tells it: medians of rounds, a column a class of CPU."""

from __future__ import annotations

from typing import Any

from benchmarks import plugin


def round_of(one: float, all_of_them: float, again_loads: bool = False) -> dict[str, Any]:
    return {
        "plain": {"elapsed_s": 1.0, "torch": False},
        "one": {"elapsed_s": one, "torch": True},
        "all": {"elapsed_s": all_of_them, "torch": True},
        "again": {"elapsed_s": 1.5, "torch": again_loads},
    }


def result_of(*rounds: dict[str, Any], sets: tuple[str, ...] = ("avx2",), **changes: Any) -> dict[str, Any]:
    result = {"cpu": "A CPU", "cores": 2, "instruction_sets": list(sets), "imitated": {}}
    result |= {"base_model": "small", "adapter": "grade", "data": "pairs", "n_pairs": 11}
    return result | {"rounds": list(rounds)} | changes


def test_a_case_costs_what_all_cost_more_than_the_first_one():
    figures = plugin.figures_of(result_of(round_of(6, 11), round_of(6, 16), round_of(6, 26)))
    assert (figures["all"], figures["case"], figures["startup"]) == (16, 1.0, 5.0)


def test_each_class_of_cpu_has_a_column_and_says_what_it_stands_on():
    older = {"ONEDNN_MAX_CPU_ISA": "AVX2"}
    fast = result_of(round_of(4, 5), sets=("avx2", "avx512f", "avx512_bf16"))
    slow = result_of(round_of(6, 16, again_loads=True), imitated=older)
    table = plugin.table_of([fast, slow])
    assert "| | AVX512-BF16, s | AVX2, s |" in table
    assert "| 11 cases, nothing judged before | 5.0 | 16.0 |" in table
    assert "- AVX512-BF16: 2 cores of A CPU; grade of small, 11 pairs of pairs" in table
    assert "- AVX2: 2 cores of A CPU, ONEDNN_MAX_CPU_ISA=AVX2;" in table
    assert table.splitlines()[-2].endswith("the second run does not load PyTorch.")
    assert table.splitlines()[-1].endswith("the second run loads PyTorch.")

"""What the fleet's benchmark counts, by hand, and the tables of the page on scale."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pairs import pair_of

from benchmarks import fleet, scale
from benchmarks.fleet import ANYWHERE, AT_ONE, BLOCK, PrefixCache, first_of_each

RESULTS = Path(__file__).parents[1] / "benchmarks" / "results"


def read(name):
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))


def test_the_cache_knows_whole_blocks_with_all_that_came_before_them():
    cache, ids = PrefixCache(1000), list(range(40))
    assert cache.seen_of(ids) == 0
    assert cache.seen_of(ids) == 2 * BLOCK
    assert cache.seen_of([*ids[:20], 99, *ids[21:]]) == BLOCK
    assert cache.seen_of([99, *ids[1:]]) == 0  # the second block is the same, but not what is before it


def test_of_a_prompt_that_is_all_known_the_last_token_is_computed_all_the_same():
    cache, ids = PrefixCache(1000), list(range(2 * BLOCK))
    cache.seen_of(ids)
    assert cache.seen_of(ids) == BLOCK


def test_what_was_not_used_for_longest_is_forgotten_first():
    cache = PrefixCache(2 * BLOCK)
    one, two, three = ([n] * (BLOCK + 1) for n in (1, 2, 3))
    for ids in (one, two, one, three):
        cache.seen_of(ids)
    assert len(cache) == 2
    assert (cache.seen_of(one), cache.seen_of(two)) == (BLOCK, 0)


def test_the_first_pairs_of_each_question_are_taken_in_their_order():
    pairs = [pair_of(f"{n}", "b", id=f"p{n}", prompt=f"Question {n % 2}?") for n in range(6)]
    assert [pair.id for pair in first_of_each(pairs, 2)] == ["p0", "p1", "p2", "p3"]


def test_the_committed_result_says_that_a_home_for_each_question_saves_tokens():
    runs = {(run["n_servers"], run["placement"]): run for run in read("fleet-qwen2.5-coder-0.5b")["runs"]}
    fleets = [n for n, placement in runs if placement == ANYWHERE]
    assert fleets == [4, 16]
    for n in fleets:
        at_one, anywhere = runs[n, AT_ONE], runs[n, ANYWHERE]
        assert at_one["tokens_sent"] == anywhere["tokens_sent"]
        assert at_one["n_requests"] == anywhere["n_requests"]
        assert runs[1, AT_ONE]["tokens_computed"] < at_one["tokens_computed"] < anywhere["tokens_computed"]


VLLM_ROW = {
    "engine": "vllm",
    "method": "direct",
    "judging": {"elapsed_s": 5.0},
    "n_pairs": 10,
    "tokens_in": 2500,
}


def test_a_machine_takes_as_many_days_as_its_rate_says():
    speed = {"cores": 2, "cpu": "C", "n_pairs": 20, "rounds": [{"embedded_s": 10.0, "tokens": 3000}] * 4}
    methods = {"cores": 4, "cpu": "D", "rows": [VLLM_ROW]}
    bench = {"judges": [{"name": scale.GPU, "cost": {"elapsed_s": 0.02, "tokens_in": 1200}}]}
    cpu, vllm, gpu = scale.machines(speed, methods, bench)
    assert (cpu.name, vllm.name) == ("2 cores of C", "4 cores of D"), "each on the machine of its own file"
    assert (vllm.pairs_per_s, vllm.tokens_per_s) == (2, 500)
    assert (cpu.pairs_per_s, cpu.tokens_per_s) == (0.5, 300)
    assert (gpu.pairs_per_s, gpu.tokens_per_s) == (50, 60_000)
    assert gpu.days_for(50 * 86_400) == pytest.approx(1)


@pytest.mark.parametrize(
    ("n", "words"), [(999, "999.0 B"), (2_500, "2.5 kB"), (5.5e12, "5.5 TB"), (5e15, "5,000.0 TB")]
)
def test_sizes_are_in_decimal_units(n, words):
    assert scale.size(n) == words


def test_the_table_of_a_fleet_puts_both_placements_side_by_side():
    def run(n_servers, placement, computed):
        return {
            "n_servers": n_servers,
            "cache_tokens": 1000,
            "placement": placement,
            "n_requests": 100,
            "most_requests": 60,
            "tokens_sent": 10_000,
            "tokens_computed": computed,
        }

    result = {"data": "D", "n_pairs": 50, "n_questions": 5}
    table = fleet.table_of([result | {"runs": [run(2, AT_ONE, 4000), run(2, ANYWHERE, 8000)]}])
    assert "| 2 | 1,000 | 8,000 | 4,000 | 40 % | 1.20 |" in table

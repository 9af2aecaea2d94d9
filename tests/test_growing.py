"""A suite that still runs: what its cases so far show for certain, and what it costs to ask each time."""

from __future__ import annotations

import random

import pytest

from judge.plugin.gate import Bets, GateFinding, GateResult, lack_of_evidence, sequential_gate
from judge.plugin.growing import GrowingSuite
from judge.plugin.run import RunSettings, SuiteRun, gate_lines


def a_run(collected: list[str], gate: str = "not-worse:0.05", policy: str = "tie") -> SuiteRun:
    run = SuiteRun(RunSettings(backend="scripted:longer", gate=gate, sequential=True, inconsistent=policy))
    run.collected = collected
    return run


def record(score: float | None, cluster: str, status: str = "consistent") -> dict:
    return {"score": score, "cluster": cluster, "verdict": {"status": status}, "unchanged": False}


def names(n: int) -> list[str]:
    return [f"test_{i}" for i in range(n)]


# --- what it finds


def settled(cases: list[tuple[float, str]]) -> GateResult | None:
    """What has settled the gate of a run after these scores and clusters, in a test each; None if nothing."""
    run = a_run(names(len(cases)))
    for test, case in zip(run.collected, cases, strict=True):
        run.add(test, [record(*case)])
    return run.settled


def lost(n: int) -> list[tuple[float, str]]:
    return [(0.0, f"c{i}") for i in range(n)]


def test_a_cluster_that_comes_up_again_takes_nothing_back_and_changes_nothing():
    found = settled(lost(60))
    enough = found.n_clusters
    assert found.finding is GateFinding.WORSE
    assert settled(lost(enough)) is None  # more of the last cluster may come
    assert settled([*lost(enough), (1.0, "c0")]) == found
    again = [(1.0, "c0"), (1.0, "c0")]
    assert settled([*lost(enough - 1), *again, (0.0, "last"), (0.0, "more")]) == found


def test_a_large_cluster_counts_once_and_the_mean_lies_in_its_interval():
    found = settled([*((0.0, "one") for _ in range(100)), *((1.0, f"c{i}") for i in range(30))])
    assert found.finding is GateFinding.NOT_WORSE
    assert found.low <= found.win_rate <= found.high
    assert gate_lines(found, True, 0)[1].startswith("mean of the clusters' win rates 93.")


def test_where_the_lost_pairs_of_a_test_stand_does_not_decide():
    for places in (range(30), range(170, 200)):
        run = a_run(["test_all"])
        run.add("test_all", [record(float(i not in places), f"c{i}") for i in range(200)])
        assert run.settled.finding is GateFinding.NOT_WORSE


def of_whole_suite(run: SuiteRun) -> GateResult | None:
    """What the records so far show, of all of them at once: an independent computation."""
    policy, all_records = run.settings.inconsistent, run.all_records
    flips = [one for one in all_records if policy == "skip" and one["verdict"]["status"] == "inconsistent"]
    counted = [one for one in all_records if one["score"] is not None and one not in flips]
    if lack_of_evidence(len(counted), len(all_records), 0.8):
        return None
    clusters = [one["cluster"] for one in counted]
    first = []
    for at, (name, one) in enumerate(zip(clusters, counted, strict=True)):
        start = clusters.index(name)
        is_first_run = set(clusters[start : at + 1]) == {name}
        is_last_run = set(clusters[start:]) == {name}
        if is_first_run and not is_last_run:
            first.append(one)
    if not first:
        return None
    scores = [one["score"] for one in first]
    return sequential_gate(scores, [one["cluster"] for one in first], 0.05, is_complete=False)


@pytest.mark.parametrize("lag", [0, 3, 60], ids=["in order", "a little late", "in any order"])
@pytest.mark.parametrize("seed", range(5))
def test_after_every_test_it_finds_what_the_whole_suite_so_far_shows(seed, lag):
    dice = random.Random(seed)
    rate, n_clusters = dice.choice([0.1, 0.3, 0.9]), dice.choice([15, 40, 200])
    run = a_run(names(60), policy="skip")
    arriving = sorted(range(60), key=lambda place: place + dice.uniform(0, lag))
    arriving += dice.sample(arriving, 5)  # tried again
    for place in arriving:
        cluster = f"c{dice.randrange(n_clusters) if dice.random() < 0.3 else place * n_clusters // 60}"
        status = dice.choices(["consistent", "inconsistent"], [9, 1])[0]
        score = dice.choices([float(dice.random() < rate), 0.5, None], [8, 1, 1])[0]
        run.add(f"test_{place}", [record(score, cluster, status) for _ in range(dice.randrange(4))])
        assert run.settled == of_whole_suite(run)
        if run.settled is not None:
            break


# --- what it costs


@pytest.fixture
def steps(monkeypatch) -> dict[str, int]:
    """How many steps of the interval were taken, and how many cases were read, as they are counted."""
    counts = {"bets": 0, "cases": 0}
    after, read = Bets.after, GrowingSuite._read

    def counted_after(*given):
        counts["bets"] += 1
        return after(*given)

    def counted_read(*given):
        counts["cases"] += 1
        return read(*given)

    monkeypatch.setattr(Bets, "after", counted_after)
    monkeypatch.setattr(GrowingSuite, "_read", counted_read)
    return counts


def test_2000_cases_in_order_take_one_step_each(steps):
    run = a_run(names(2000), gate="not-worse:0")
    for number, test in enumerate(run.collected):
        run.add(test, [record(float(number % 2), test)])
    assert run.settled is None
    assert steps == {"bets": 1999, "cases": 2000}


def test_cases_from_two_workers_take_far_less_than_all_steps_each_time(steps):
    run = a_run(names(400), gate="not-worse:0")
    part = 400 // 8  # as pytest-xdist hands them out at first
    places = [
        start + i + worker * part
        for start in range(0, 400, 2 * part)
        for i in range(part)
        for worker in (0, 1)
    ]
    for place in places:
        run.add(f"test_{place}", [record(float(place % 2), f"c{place}")])
    assert run.settled is None
    all_each_time = 400 * 400 // 2
    assert steps["bets"] < all_each_time / 5
    assert steps["cases"] < all_each_time / 5

"""A suite that still runs: what its cases so far show for certain."""

from __future__ import annotations

from judge.plugin.gate import GateFinding, GateResult
from judge.plugin.run import RunSettings, SuiteRun


def settled(cases: list[tuple[float, str]]) -> GateResult | None:
    """What has settled the gate of a run after these scores and clusters, in a test each; None if nothing."""
    run = SuiteRun(RunSettings(backend="scripted:longer", gate="not-worse:0.05", sequential=True))
    for number, (score, cluster) in enumerate(cases):
        run.add(f"test_{number}", [{"score": score, "cluster": cluster, "verdict": {"status": "consistent"}}])
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

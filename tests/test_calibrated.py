"""What a calibration is worth on other questions: the splits, and the committed result worked out again."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.calibrated import (
    MT_BENCH,
    N_SPLITS,
    N_VOTES,
    OURS,
    band_of,
    both_errors,
    figures_of,
    measured,
    shards_of,
    splits_of,
)
from judge.ledger.ledger import Ledger
from judge.metrics.recalibration import Odds
from judge.study.calibrating import ERRORS

RESULT = MT_BENCH.with_name("calibration-mt-bench.json")


@pytest.fixture(scope="module")
def odds() -> Odds:
    """Votes on 30 questions that agree with a judge that is twice as modest as it should be."""
    generator = np.random.default_rng(1)
    z = generator.normal(0, 1, 600)
    is_a = generator.random(600) < 1 / (1 + np.exp(-2 * z))
    return Odds(z, np.zeros(600), is_a, np.arange(600) % 30, 30)


def modest(odds: Odds) -> np.ndarray:
    return 1 / (1 + np.exp(-odds.z))


def test_no_question_is_both_fitted_and_tested_and_the_number_of_votes_is_exact(odds):
    splits = list(splits_of(odds, 110, n_splits=20))
    assert {int(split.known.sum()) for split in splits} == {110}
    for split in splits:
        assert not set(odds.question[split.known]) & set(odds.question[split.other])
        assert split.other.sum() == 600 - 120  # the sixth question is used in part, and left out of the test
    assert len({split.known.tobytes() for split in splits}) == 20
    again = next(splits_of(odds, 110, n_splits=1))
    assert (again.known == splits[0].known).all()


def test_a_modest_judge_gains_by_every_error(odds):
    splits = list(splits_of(odds, 200, n_splits=10))
    found = figures_of(odds, modest(odds), splits, has_band=True)
    assert found["n_splits"] == 10
    assert found["slope"]["mean"] == pytest.approx(2, abs=0.4)
    for name in ("brier", "log_loss"):
        assert found[name]["after"] < found[name]["before"]
        both = [both_errors(odds, modest(odds), one) for one in splits]
        gains = [was[name] - now[name] for was, now in both]
        assert found[name]["gain"]["mean"] == pytest.approx(np.mean(gains))
        assert found[name]["better"] == sum(gain > 0 for gain in gains)
    assert found["n_bands"] == sum(band_of(odds, one) is not None for one in splits)


def test_what_the_page_says_of_the_result_is_so():
    rows = json.loads(RESULT.read_text("utf-8"))["rows"]
    with_most = {row["name"]: row for row in rows if row["n_votes"] == N_VOTES}
    for name in ("1.5B distilled signals", "0.5B distilled"):
        for error in ERRORS:
            assert with_most[name][error]["after"] < with_most[name][error]["before"]
        assert with_most[name]["ece"]["better"] >= 0.98 * N_SPLITS
    for name, share in ((OURS, 95), ("1.5B score", 80)):
        ours = with_most[name]
        assert round(100 * ours["ece"]["better"] / N_SPLITS) == share
        for error, most in (("brier", 0.006), ("log_loss", 0.011)):
            assert ours[error]["after"] == pytest.approx(ours[error]["before"], abs=most)
    slopes = [f"{with_most[name]['slope']['mean']:.1f}" for name in (OURS, "1.5B score")]
    assert slopes == ["1.9", "1.4"]
    assert with_most["1.5B distilled BSM"]["slope"]["mean"] < 0.5
    for name in ("0.5B BSM", "0.5B direct"):
        for error in ("brier", "log_loss"):
            assert with_most[name][error]["after"] > with_most[name][error]["before"]
    [fewest] = [row for row in rows if row["n_votes"] == 30]
    assert fewest["ece"]["gain"]["low"] < 0


@pytest.mark.slow
def test_the_committed_rows_follow_from_the_shards(data_dir, tmp_path):
    bench, committed = (json.loads(Path(file).read_text("utf-8")) for file in (MT_BENCH, RESULT))
    ours = {**bench, "judges": [one for one in bench["judges"] if one["name"] == OURS]}
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        ledger.load(shards_of(ours))
        rows = measured(ours, ledger, data_dir, numbers=(N_VOTES,))
    [there] = [row for row in committed["rows"] if (row["name"], row["n_votes"]) == (OURS, N_VOTES)]
    [here] = rows
    assert here.keys() == there.keys()
    for name in ("ece", "brier", "log_loss"):
        assert here[name]["after"] == pytest.approx(there[name]["after"], abs=1e-4)
        assert here[name]["before"] == pytest.approx(there[name]["before"], abs=1e-9)

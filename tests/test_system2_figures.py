"""Tables and charts of benchmarks/system2: figures counted by hand, and nothing committed that is stale."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks.system2 import figures
from benchmarks.system2.chart import CHARTS, chart_of
from benchmarks.system2.figures import (
    figure_of,
    gap_closed,
    has_distilled,
    kinds_of,
    large_share,
    parting,
    result_of,
    result_path,
    signal_table,
    table_of,
)
from benchmarks.system2.paper import PAPER
from benchmarks.system2.run import SCHEMA
from benchmarks.system2.tasks import TASKS
from distill.advice import ENOUGH_CLOSED
from judge.errors import InputError

CHECKOUT = Path(__file__).parents[1]
SVG = "{http://www.w3.org/2000/svg}"


def row(name: str, marks: str, seed: int | None = None) -> dict[str, object]:
    return {"name": name, "seed": seed, "marks": {"": marks}, "tokens_out": 4.0 + (seed or 0)}


RESULT = {
    "schema": SCHEMA,
    "base_model": "big",
    "student": "big",
    "taught_by": "rar-2",
    "cpu": "a chip",
    "n_questions": {"train": 50, "held-out": 20, "test": 20},
    "rows": [
        row("system-1", "10-0" * 5),
        row("rar-2", "1100" * 5),
        row("distilled", "1111" * 5, 0),
        row("distilled", "1110" * 5, 1),
    ],
    "targets": {
        name: {"kept": kept, "right": 30, "dropped": {}}
        for name, kept in (("distilled", 40), ("unfiltered", 50), ("distilled-system-1", 30))
    },
    "signal": {"large": 30, "n": 50, "fit_before": 4, "fit_after": 12, "n_fit": 20, "n_steps": 110},
}


@pytest.fixture
def measured(tmp_path, monkeypatch):
    """The result above as the committed one of last letters."""
    monkeypatch.setattr(figures, "result_path", lambda task, checkout=None: tmp_path / f"{task}.json")
    (tmp_path / "last-letters.json").write_text(json.dumps(RESULT), encoding="utf-8")


def test_a_figure_is_the_mean_of_the_seeds_with_an_interval_over_questions():
    found = figure_of(RESULT, "distilled", "")
    assert (found.share, found.least, found.most, found.n, found.n_seeds) == (0.875, 0.75, 1.0, 20, 2)
    # Wilson by hand for 17.5 of 20: middle (0.875 + 0.09604) / 1.19208, half-width 0.1459.
    assert (found.low, found.high) == (pytest.approx(0.6687, abs=1e-4), pytest.approx(0.9604, abs=1e-4))
    assert figure_of(RESULT, "system-1", "").share == 0.25, "an unread reply is wrong"
    assert figure_of(RESULT, "rar-1", "") is None
    assert figure_of(None, "system-1", "") is None


def test_a_table_has_both_columns_and_says_what_it_rests_on(measured):
    table = table_of("last-letters")
    assert "| System 1 | 30.0 | 25.0 (" in table
    assert re.search(
        r"\| distilled System 2 \| 98\.0 \| 87\.5 \([\d.-]+; seeds 75\.0-100\.0\) \| 4\.5 \|", table
    )
    assert "| RaR, one step | 39.5 | - | - |" in table
    assert "System 1 of the student" not in table
    assert "| distilled System 2 | 40 of 50 | 75.0 % |" in table
    assert "Large majority: 60.0 % of the questions" in table
    assert "20.0 % before, 60.0 % after 110 steps" in table
    assert "big by RaR, two steps teaches itself" in table


def test_where_nothing_was_measured_the_papers_figures_stand_alone(measured):
    table = table_of("gsm8k")
    assert "| System 1 | 7.6 | - | - |" in table
    assert "python -m benchmarks.system2 gsm8k FOLDER" in table


def test_a_result_of_another_schema_is_refused(tmp_path):
    path = result_path("gsm8k", tmp_path)
    path.parent.mkdir(parents=True)
    path.write_text('{"schema": "four-token-judge/bench/1"}', encoding="utf-8")
    with pytest.raises(InputError, match=r"schema four-token-judge/bench/1. It must be .*system2/1"):
        result_of("gsm8k", tmp_path)


def test_the_cheap_tests_figures_are_counted_by_hand(measured):
    assert large_share(RESULT) == 0.6
    assert gap_closed(RESULT) == 0.5
    constant = {**RESULT["signal"], "fit_constant": 12}
    assert gap_closed({**RESULT, "signal": constant}) == 0, "it says one word to everything"
    assert gap_closed({**RESULT, "signal": constant | {"fit_constant": 2}}) == 0.5
    assert has_distilled(RESULT, "")
    assert not has_distilled({**RESULT, "rows": [row("system-1", "1110"), row("distilled", "1111", 0)]}, "")
    assert "| last-letters | 60 | 50 | yes |" in signal_table()
    assert "| gsm8k | - | - | - |" in signal_table()


def test_a_threshold_lies_between_what_has_distilled_and_what_has_not():
    assert parting([(0.8, True), (0.6, True), (0.1, False)]) == (0.1, 0.6)
    assert parting([(0.5, True), (0.6, False)]) is None


def test_where_both_kinds_are_measured_the_table_says_what_parts_them(measured, tmp_path):
    assert "parts the tasks" not in signal_table()
    signal = {**RESULT["signal"], "large": 35, "fit_after": 5}
    rows = [{**row("system-1", "1110"), "seed": None}, row("distilled", "1110", 0)]
    failed = {**RESULT, "taught_by": "cot-8", "rows": rows, "signal": signal}
    (tmp_path / "gsm8k.json").write_text(json.dumps(failed), encoding="utf-8")
    assert "| gsm8k | 70 | 6 | no |" in signal_table()
    assert (
        "Large majority: no threshold parts the tasks. Gap closed: a threshold from 6 to 50 %"
        in signal_table()
    )


def test_the_advice_of_select_parts_the_tasks_that_are_committed():
    results = {name: one for name in TASKS if (one := result_of(name)) is not None}
    told = {name: has_distilled(one, kinds_of(TASKS[name], one)[0]) for name, one in results.items()}
    for name, one in results.items():
        assert (gap_closed(one) >= ENOUGH_CLOSED) == told[name], name


@pytest.mark.parametrize("name", TASKS)
def test_the_papers_rows_are_rows_of_the_task(name):
    assert {row for row, _ in PAPER[name]} <= set(figures.names_of(TASKS[name]))


@pytest.mark.parametrize("name", CHARTS)
def test_a_committed_chart_is_not_stale(name):
    committed = (CHECKOUT / name).read_text(encoding="utf-8")
    assert words_in(committed) == words_in(chart_of(CHARTS[name]))


def test_a_chart_has_a_line_for_each_row_and_both_models(measured):
    words = words_in(chart_of("last-letters"))
    assert words >= {"System 1", "RaR, one step", "distilled System 2", "Llama-2-70B", "big"}
    assert "System 1 of the student" not in words


def words_in(svg: str) -> set[str]:
    root = ElementTree.fromstring(svg)
    return {text.strip() for one in root.iter(f"{SVG}text") for text in one.itertext()}

"""lm-evaluation-harness, the real package, evaluates the task of its page."""

from __future__ import annotations

import pytest
import yaml
from frameworks import follow_page

pytestmark = pytest.mark.frameworks

yaml.SafeLoader.add_constructor("!function", lambda loader, node: node.value)  # as the harness has it


def test_the_page_runs_and_its_task_has_the_judge_s_metrics(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "datasets"))
    reader = follow_page("lm-eval", tmp_path, monkeypatch)
    found = reader.names["found"]["results"]["judged"]
    assert {name: found[f"{name},none"] for name in ("win", "inconsistent", "unparsed")} == {
        "win": 0.5,
        "inconsistent": 0.0,
        "unparsed": 0.0,
    }


def test_rows_that_cannot_be_read_are_in_no_mean_but_their_own(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "datasets"))
    reader = follow_page("lm-eval", tmp_path, monkeypatch)
    program = reader.folder / "tasks" / "judged.py"
    text = (
        program.read_text("utf-8")
        .replace("scripted:longer", "scripted:unreadable:4")
        .replace(")", ", cache=False)")
    )
    program.write_text(text, encoding="utf-8")
    from lm_eval import simple_evaluate
    from lm_eval.tasks import TaskManager

    found = simple_evaluate("dummy", tasks=["judged"], task_manager=TaskManager(include_path="tasks"))
    results = found["results"]["judged"]
    assert (results["win,none"], results["unparsed,none"]) == (1.0, 0.5)

"""inspect_ai, the real package: an evaluation with the judge as its scorer, and its log."""

from __future__ import annotations

import math

import pytest
from frameworks import follow_page

from judge.errors import InputError
from judge.frameworks.inspect_ai import pairwise

pytestmark = pytest.mark.frameworks

ANSWER = "Default output from mockllm/model"
LONGER = "That is longer than what a mock model has to say for itself."


@pytest.fixture(autouse=True)
def words_as_tokens(monkeypatch):
    """The mock model's tokens are counted with a vocabulary from the network; words do as well."""

    class Words:
        def encode(self, text, **options):
            return text.split()

    monkeypatch.setattr("tiktoken.get_encoding", lambda name: Words())


def evaluated(tmp_path, samples, **options):
    """The log of an evaluation of a model that always says the same."""
    from inspect_ai import Task, eval
    from inspect_ai.dataset import Sample

    task = Task(dataset=[Sample(**one) for one in samples], scorer=pairwise(**options))
    [log] = eval(task, model="mockllm/model", log_dir=str(tmp_path / "logs"), display="none")
    assert log.status == "success", log.error
    return log


def means(log):
    return {score.name: score.metrics["mean"].value for score in log.results.scores}


def test_an_answer_that_is_better_in_both_orders_wins(tmp_path):
    samples = [{"input": "Why?", "target": "So."}, {"input": "How?", "target": LONGER}]
    log = evaluated(tmp_path, samples, backend="scripted:longer", cache=False)
    assert means(log) == {"win": 0.5, "inconsistent": 0.0}
    assert [sample.scores["pairwise"].value["win"] for sample in log.samples] == [1.0, 0.0]
    first = log.samples[0].scores["pairwise"]
    assert first.answer == ANSWER
    assert first.explanation.startswith("the answer is better in both orders")
    assert (first.metadata["status"], first.metadata["p_a"]) == ("consistent", 1.0)
    options = log.eval.scorers[0].options
    assert (options["backend"], options["cache"]) == ("scripted:longer", False)


def test_orders_that_disagree_are_a_tie_and_counted(tmp_path):
    log = evaluated(tmp_path, [{"input": "Why?", "target": "So."}], backend="scripted:first", cache=False)
    assert means(log) == {"win": 0.5, "inconsistent": 1.0}


def test_what_cannot_be_read_is_in_no_mean_and_in_the_log_with_its_reason(tmp_path):
    samples = [{"input": question, "target": "So."} for question in ("Why?", "How?", "Who?")]
    log = evaluated(tmp_path, samples, backend="scripted:unreadable:6", cache=False)
    assert means(log) == {"win": 1.0, "inconsistent": 0.0}
    assert [(score.scored_samples, score.unscored_samples) for score in log.results.scores] == [(2, 1)] * 2
    [unread] = [one for sample in log.samples if is_unscored(one := sample.scores["pairwise"])]
    assert (unread.reason, unread.metadata["status"]) == ("unparsed", "unparsed")
    assert unread.explanation.startswith("no verdict")


def is_unscored(score):
    return isinstance(score.value, float) and math.isnan(score.value)


def test_a_baseline_may_lie_in_the_metadata_and_the_target_is_then_a_reference(tmp_path):
    sample = {"input": "Why?", "target": "Because.", "metadata": {"old": LONGER}}
    log = evaluated(tmp_path, [sample], baseline="old", backend="scripted:longer", cache=False)
    assert means(log)["win"] == 0.0


def test_a_sample_without_its_baseline_is_named(tmp_path):
    from inspect_ai import Task, eval
    from inspect_ai.dataset import Sample

    task = Task(dataset=[Sample(input="Why?", id="one")], scorer=pairwise("old", backend="scripted:longer"))
    [log] = eval(task, model="mockllm/model", log_dir=str(tmp_path / "logs"), display="none")
    assert "the metadata of sample 'one': no 'old' (found: nothing)" in log.error.message


def test_a_wrong_option_is_named_when_the_scorer_is_made():
    with pytest.raises(InputError, match="no such option"):
        pairwise(methd="direct")


def test_the_page_runs(tmp_path, monkeypatch):
    reader = follow_page("inspect-ai", tmp_path, monkeypatch)
    assert means(reader.names["log"]) == {"win": 0.5, "inconsistent": 0.0}

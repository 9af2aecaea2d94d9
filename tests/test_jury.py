"""A teacher that is several judges: their shards' log-odds, weighted and summed."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from pairs import pair_of

from distill import stages
from distill.clean import HeldOut
from distill.ensemble import log_ratio_of
from distill.folder import RunFolder
from distill.recipe import recipe_of, recipe_to_json, settings_hash
from distill.stages import run_collect, run_select
from distill.traces import read_traces
from judge.errors import BadLines, InputError, JudgeError
from judge.io.pairs import write_pairs
from judge.ledger.ledger import Ledger
from judge.records import Outcome, Status

PAIRS = [pair_of("word " * (n + 2), "text " * 9, f"Question {n}?", f"p{n}") for n in range(20)]
RUN = RunFolder(Path("runs/trial"))


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty folder with a pair file, where texts that must not be trained on are read from nowhere."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(stages, "held_out_texts", lambda folder, unchecked: HeldOut({}, {}))
    write_pairs("pairs.jsonl", PAIRS)


def recipe(filter="mean", **teacher):
    pairs = {"source": "file", "path": "pairs.jsonl"}
    return recipe_of(
        {"name": "trial", "collect": {"pairs": pairs, "teacher": teacher}, "select": {"filter": filter}},
        "trial.yaml",
    )


def shard_of(character, method="direct"):
    """What a judge of that character says of all pairs, and its shard."""
    name = character.replace(":", "-")
    folder, ledger = RunFolder(Path(f"runs/{name}-{method}")), Path(f"{name}-{method}.sqlite")
    run_collect(
        recipe("swap", backend=f"scripted:{character}", method=method), folder, None, ledger_path=ledger
    )
    with Ledger(ledger) as kept:
        [path] = kept.export(Path(f"shards/{name}-{method}"))
    return {trace.pair.content_hash: trace.verdict for trace in read_traces(folder.traces)}, str(path)


def log_odds_in(verdict):
    """The mean of both orders' log-odds that a is better."""
    ab, ba = ([max(p, 1e-9) for p in reading.probabilities.values()] for reading in verdict.readings.values())
    return (math.log(ab[0] / ab[1]) - math.log(ba[0] / ba[1])) / 2


def test_judges_are_summed_with_their_weights_and_less_length(here):
    longer, by_length = shard_of("longer")
    first, by_place = shard_of("first")
    graded, by_score = shard_of("longer", "bsm")
    jury = {by_length: 0.5, by_place: 2.0, by_score: 0.25}
    made = run_collect(recipe(jury=jury, length=1.5), RUN, None)
    assert made["teacher"]["method"] == "jury"
    assert made["teacher"]["letters"].endswith("length 1.5")
    traces = list(read_traces(RUN.traces))
    assert len(traces) == len(PAIRS)
    for trace in traces:
        one = trace.pair.content_hash
        told = 0.5 * log_odds_in(longer[one]) + 2 * log_odds_in(first[one]) + 0.25 * log_odds_in(graded[one])
        told -= 1.5 * log_ratio_of(trace.pair)
        assert trace.verdict.status is Status.CONSISTENT
        assert math.log(trace.verdict.p_a / (1 - trace.verdict.p_a)) == pytest.approx(told, abs=1e-3)
        steps = next(iter(trace.verdict.readings.values())).steps
        assert [step.name.rpartition(" ")[2] for step in steps] == ["direct", "direct", "bsm"]
        assert float(steps[0].raw) == pytest.approx(log_odds_in(longer[one]), abs=1e-5)


def test_a_judge_whose_readings_take_several_shards_is_named_by_the_first(here):
    _, by_length = shard_of("longer")
    with Ledger(Path("longer-direct.sqlite")) as kept:
        parts = kept.export(Path("parts"), max_bytes=900)
    assert len(parts) > 1
    made = run_collect(recipe(jury={str(parts[0]): 1.0}), RUN, None)
    whole = run_collect(recipe(jury={by_length: 1.0}), RunFolder(Path("runs/whole")), None)
    assert made["files"] == whole["files"]


def test_enough_weight_of_length_turns_a_judge_of_length(here):
    _, by_length = shard_of("longer")
    run_collect(recipe(jury={by_length: 1.0}, length=1000.0), RUN, None)
    run_select(recipe(jury={by_length: 1.0}, length=1000.0), RUN)
    for trace in read_traces(RUN.traces):
        shorter = {Outcome.A: Outcome.B, Outcome.B: Outcome.A, Outcome.TIE: Outcome.TIE}[trace.pair.longer]
        assert trace.verdict.outcome is shorter


def test_a_pair_that_one_of_them_could_not_read_teaches_nothing(here):
    _, by_length = shard_of("longer")
    unread, by_chance = shard_of("unreadable:5")
    run_collect(recipe(jury={by_length: 1.0, by_chance: 1.0}), RUN, None)
    told = {trace.pair.content_hash: trace.verdict.status for trace in read_traces(RUN.traces)}
    assert {one for one, status in told.items() if status is Status.UNPARSED} == {
        one for one, verdict in unread.items() if verdict.status is Status.UNPARSED
    }
    assert {Status.UNPARSED, Status.CONSISTENT} == set(told.values())


def test_a_pair_that_one_of_them_has_not_read_is_one_line(here):
    _, by_length = shard_of("longer")
    write_pairs("pairs.jsonl", [*PAIRS, pair_of("new", "old", "Another?", "new")])
    with pytest.raises(InputError, match=r"\.gz: lacks 1 of the recipe's pairs, \S+ first\. Take the shard"):
        run_collect(recipe(jury={by_length: 1.0}), RUN, None)


def test_one_judge_twice_and_what_is_no_shard_are_one_line(here, tmp_path):
    _, by_length = shard_of("longer")
    copy = tmp_path / "copy.jsonl.gz"
    copy.write_bytes(Path(by_length).read_bytes())
    for jury, words in (
        ({by_length: 1.0, str(copy): 1.0}, r"^collect\.teacher\.jury: two shards of one judge, "),
        ({"nowhere.gz": 1.0}, r"^nowhere\.gz: no such file\. It must be a shard that"),
        ({"pairs.jsonl": 1.0}, r"pairs\.jsonl: .* A shard is a whole gzip file of UTF-8 text\."),
    ):
        with pytest.raises(JudgeError, match=words) as caught:
            run_collect(recipe(jury=jury), RUN, None)
        assert "\n" not in str(caught.value)
    assert RUN.manifest("collect") is None


@pytest.mark.parametrize("other", ["./one.gz", "shards/../one.gz", "link.gz", "{here}/one.gz"])
def test_two_names_of_one_shard_are_one_line(here, tmp_path, other):
    Path("shards").mkdir()
    Path("link.gz").symlink_to("one.gz")
    words = (
        r"^trial\.yaml: collect\.teacher\.jury: two names of one shard, which would be read once: name it "
    )
    with pytest.raises(BadLines, match=words) as caught:
        recipe(jury={"one.gz": 1.0, other.format(here=tmp_path): 0.5})
    assert len(caught.value.problems) == 1
    recipe(jury={"one.gz": 1.0, "two.gz": 0.5})


def test_a_judge_that_says_no_probabilities_is_on_no_jury(here):
    _, by_length = shard_of("longer")
    _, in_text = shard_of("longer", "bsm-text")
    words = rf"^{in_text}: none of its readings, by bsm-text, has a probability, and a jury adds log-odds\. "
    with pytest.raises(InputError, match=words):
        run_collect(recipe(jury={by_length: 1.0, in_text: 1.0}), RUN, None)


def test_a_judge_that_learned_votes_is_on_no_jury(here, monkeypatch):
    _, by_length = shard_of("longer")
    monkeypatch.setattr("distill.jury.learned_votes", lambda adapter: True)
    with pytest.raises(InputError, match="no judge learns from people's votes under another name"):
        run_collect(recipe(jury={by_length: 1.0}), RUN, None)


@pytest.mark.parametrize("other", [{"signals": {"yes": 1.0}}, {"recorded": "other.gz"}])
def test_a_jury_is_no_other_teacher_as_well(other):
    with pytest.raises(BadLines, match="a jury is read from its own shards: leave the others out"):
        recipe(jury={"one.gz": 1.0}, **other)


@pytest.mark.parametrize(
    "other",
    [
        {"base_model": "qwen2.5-coder-1.5b"},
        {"adapter": "runs/mine"},
        {"method": "direct"},
        {"ties": True},
        {"samples": 3},
        {"vote": "usc"},
        {"temperature": 0.5},
        {"max_new_tokens": 8},
        {"criteria": ["Is it polite?"]},
    ],
)
def test_what_a_jury_does_not_read_is_not_said_beside_it(other):
    with pytest.raises(BadLines) as raised:
        recipe(jury={"one.gz": 1.0}, **other)
    (name,) = other
    found = [one for one in raised.value.problems if one.startswith(f"trial.yaml: collect.teacher.{name}: ")]
    assert found
    assert all("\n" not in one for one in raised.value.problems)
    assert recipe(jury={"one.gz": 1.0}, method="bsm", samples=1), "what it would be anyway may be said"


def test_length_belongs_to_a_sum_and_a_jury_has_judges():
    with pytest.raises(BadLines, match=r"length: only a sum of signals or of judges is made less"):
        recipe(length=0.5)
    with pytest.raises(
        BadLines, match=r"collect\.teacher\.jury: names no shard, .*\(found: collect.teacher.jury \{\}\)$"
    ):
        recipe(jury={})
    assert recipe(length=0.0)


def test_a_recipe_without_a_jury_does_not_speak_of_it():
    assert "jury" not in recipe_to_json(recipe())["collect"]["teacher"]
    assert recipe_to_json(recipe(jury={"one.gz": 1.0}))["collect"]["teacher"]["jury"] == {"one.gz": 1.0}
    assert settings_hash(recipe(), "collect") != settings_hash(recipe(jury={"one.gz": 1.0}), "collect")

"""The stages of a distillation run: done once, gone on with after a failure, and never half done."""

from __future__ import annotations

import gzip
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from pairs import pair_of
from typer.testing import CliRunner

from distill import stages
from distill.clean import HeldOut
from distill.folder import RunFolder
from distill.lessons import lessons_of
from distill.ranker import run_rank
from distill.recipe import read_recipe, recipe_of, recipe_to_json
from distill.recorded import recorded_options
from distill.selectionfile import read_selection
from distill.stages import made_before, run_collect, run_select
from distill.traces import read_traces
from judge import api
from judge.backends.scripted import ScriptedBackend
from judge.cli.main import app
from judge.errors import BackendError, BadLines, InputError, JudgeError
from judge.io.criteria import criteria_given
from judge.io.pairs import write_pairs
from judge.ledger import reading
from judge.ledger.ledger import Ledger
from judge.models.adapters import Adapter, shipped_adapter
from judge.options import judge_options
from judge.progress import silent
from judge.records import Identity, Status

PAIRS = [
    pair_of(f"a long answer to question {n}" + " and more" * n, "short", f"Question {n}?", f"p{n}")
    for n in range(12)
]
CHECKOUT = Path(__file__).parent.parent
OF_THE_LARGE = CHECKOUT / "benchmarks/ledger/ledger-455f76a6a6ecf9b0-0001.jsonl.gz"
"""What the 1.5B judge of single answers said of some pairs."""

OPTIONS_OF_THE_LARGE = {
    "base_model": "large",
    "method": "score",
    "max_prompt_tokens": 2048,
    "adapter": shipped_adapter("qwen2.5-coder-1.5b", "score"),
}
WITH_SHARDS = sorted(
    path.name
    for path in CHECKOUT.glob("recipes/*.yaml")
    if re.search(r"^ +(recorded|jury): *", path.read_text(encoding="utf-8"), re.MULTILINE)
)

NOTHING_HELD_OUT = HeldOut({"MT-bench": frozenset(), "LLMBar": frozenset({"question3"})}, {})


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty folder with a pair file, where texts that must not be trained on are read from nowhere."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(stages, "held_out_texts", lambda folder, unchecked: NOTHING_HELD_OUT)
    write_pairs("pairs.jsonl", PAIRS)
    return tmp_path


def recipe(character="longer", **changes):
    values = {
        "name": "trial",
        "collect": {
            "pairs": {"source": "file", "path": "pairs.jsonl"},
            "teacher": {"backend": f"scripted:{character}", "method": "bsm"},
        },
    }
    return recipe_of({**values, **changes}, "trial.yaml")


RUN = RunFolder(Path("runs/trial"))


def refuse_to_judge(monkeypatch):
    def refuse(*_):
        raise AssertionError("the teacher was asked again")

    for name in ("choose", "complete"):
        monkeypatch.setattr(ScriptedBackend, name, refuse)


def test_what_was_collected_and_selected_is_there_with_its_manifests(here):
    collected = run_collect(recipe(), RUN, None)
    assert collected["n_pairs"] == 11
    assert collected["contamination"]["dropped"] == {"prompt in LLMBar": 1}
    assert {trace.pair.prompt for trace in read_traces(RUN.traces)} == {p.prompt for p in PAIRS} - {
        "Question 3?"
    }
    selected = run_select(recipe(), RUN)
    selection = read_selection(RUN.selection)
    assert len(selection.kept) == 11
    assert all(len(one.winner and one.choices) == 2 for one in selection.kept)
    assert selected["report"]["total"]["longer_won_of_kept"] == {"count": 11, "total": 11}
    for stage in ("collect", "select"):
        manifest = json.loads((RUN.path / f"{stage}.json").read_text("utf-8"))
        assert {"commit", "versions", "inputs", "files", "settings"} <= manifest.keys()


def test_a_stage_that_is_done_is_not_done_again(here, monkeypatch):
    first = run_collect(recipe(), RUN, None), run_select(recipe(), RUN)
    refuse_to_judge(monkeypatch)
    monkeypatch.setattr(stages, "write_traces", None)
    monkeypatch.setattr(stages, "write_selection", None)
    assert (run_collect(recipe(), RUN, None), run_select(recipe(), RUN)) == first


def test_no_stage_begins_in_a_folder_in_which_another_one_is_at_work(here):
    run_collect(recipe(), RUN, None)
    words = r"^runs/trial: another stage is at work in this folder\. Wait until it is done, or name another"
    with RUN.held():
        for begin in (lambda: run_collect(recipe(), RUN, None), lambda: run_select(recipe(), RUN)):
            with pytest.raises(InputError, match=words):
                begin()
    run_select(recipe(), RUN)


@pytest.mark.parametrize("command", ["all", "train"])
@pytest.mark.parametrize(
    ("train", "words"),
    [
        ("{start_from: runs/earlier/adapter}", r"^runs/earlier/adapter: no such folder\. An adapter is"),
        ("{constructed: {ladder: 1.0}, answers: none.jsonl.gz}", r"^none\.jsonl\.gz: No such file"),
        ("{method: dual, workings: runs/none}", r"^runs/none/traces: no traces found\. It must hold"),
    ],
)
def test_what_training_reads_is_looked_for_before_anything_is_collected(here, command, train, words):
    collect = "{pairs: {source: file, path: pairs.jsonl}, teacher: {backend: 'scripted:longer'}}"
    Path("trial.yaml").write_text(f"name: trial\ncollect: {collect}\ntrain: {train}\n", encoding="utf-8")
    done = CliRunner().invoke(app, ["distill", command, "--config", "trial.yaml"])
    with pytest.raises(JudgeError, match=words):
        raise done.exception
    assert not RUN.path.exists()
    collected = CliRunner().invoke(app, ["distill", "collect", "--config", "trial.yaml", "--quiet"])
    assert collected.exit_code == 0, "the round before may still be to come"


def test_a_teacher_whose_readings_are_in_a_file_is_not_asked_elsewhere(here):
    collect = "{pairs: {source: file, path: pairs.jsonl}, teacher: {recorded: shard.jsonl.gz}}"
    Path("trial.yaml").write_text(f"name: trial\ncollect: {collect}\n", encoding="utf-8")
    done = CliRunner().invoke(app, ["distill", "collect", "--config", "trial.yaml", "--on", "ray:local"])
    with pytest.raises(InputError, match=r"^--on ray:local: the readings of this recipe's teacher are in "):
        raise done.exception


def test_a_failure_leaves_no_manifest_and_the_next_run_asks_only_what_is_missing(here, monkeypatch):
    asked: list[int] = []
    choose = ScriptedBackend.choose

    def fail_later(self, prompts, choices):
        asked.append(len(prompts))
        if sum(asked[:-1]) > 0 and len(asked) == 3:
            raise BackendError("the power went out")
        return choose(self, prompts, choices)

    monkeypatch.setattr(ScriptedBackend, "batch_characters", 100)
    monkeypatch.setattr(ScriptedBackend, "choose", fail_later)
    with pytest.raises(BackendError):
        run_collect(recipe(), RUN, None)
    assert RUN.manifest("collect") is None
    n_before = sum(asked[:2])
    asked.clear()
    monkeypatch.setattr(
        ScriptedBackend, "choose", lambda *given: (asked.append(len(given[1])), choose(*given))[1]
    )
    run_collect(recipe(), RUN, None)
    unbroken = RunFolder(Path("runs/unbroken"))
    n_whole = sum(asked) + n_before
    asked.clear()
    run_collect(recipe(), unbroken, None)
    assert sum(asked) == n_whole
    assert [p.read_bytes() for p in sorted(RUN.traces.iterdir())] == [
        p.read_bytes() for p in sorted(unbroken.traces.iterdir())
    ]


@pytest.mark.slow
def test_a_run_that_is_cut_between_rounds_is_one_of_the_pairs_before(here, monkeypatch):
    choose, asked = ScriptedBackend.choose, []

    def fail_later(self, prompts, choices):
        if len(asked) == 2:
            raise BackendError("the power went out")
        asked.append(len(prompts))
        return choose(self, prompts, choices)

    monkeypatch.setattr(ScriptedBackend, "choose", fail_later)
    with pytest.raises(BackendError):
        run_collect(recipe(), RUN, None, round_pairs=4)
    monkeypatch.setattr(ScriptedBackend, "choose", choose)
    [done] = [RUN.manifest("collect")]
    assert (done["n_pairs"], done["n_unread"]) == (8, 3)
    selected = run_select(recipe(), RUN)
    assert selected["warning"].startswith("NOT ALL COLLECTED: 3 of 11 pairs are still to be read.")
    assert len(read_selection(RUN.selection).kept) == 8

    asked.clear()
    monkeypatch.setattr(
        ScriptedBackend, "choose", lambda *given: (asked.append(len(given[1])), choose(*given))[1]
    )
    resumed = run_collect(recipe(), RUN, None, round_pairs=4)
    assert sum(asked) == 3 * 2 * 3 * 2  # pairs, orders, criteria, answers
    assert "n_unread" not in resumed
    assert run_select(recipe(), RUN)["warning"] == ""
    whole = RunFolder(Path("runs/whole"))
    assert run_collect(recipe(), whole, None)["files"] == resumed["files"]


def test_other_settings_another_teacher_or_other_pairs_are_collected_anew(here):
    before = run_collect(recipe(), RUN, None)
    assert run_collect(recipe("shorter"), RUN, None)["inputs"]["teacher"] != before["inputs"]["teacher"]
    write_pairs("pairs.jsonl", PAIRS[:5])
    assert run_collect(recipe("shorter"), RUN, None)["n_pairs"] == 4
    assert len(read_traces(RUN.traces)) == 4


def test_a_teacher_that_learned_votes_is_refused_whatever_its_folder_is_called(here, monkeypatch):
    voted = replace(ScriptedBackend("longer").engine, adapter="mine-votes")
    monkeypatch.setattr(ScriptedBackend, "engine", property(lambda _: voted))
    fast = {
        "pairs": {"source": "file", "path": "pairs.jsonl"},
        "teacher": {"backend": "scripted:longer", "method": "direct", "adapter": "runs/mine"},
    }
    with pytest.raises(InputError, match=r"collect\.teacher\.adapter: this adapter learned votes"):
        run_collect(recipe(collect=fast), RUN, None)
    assert RUN.manifest("collect") is None


@pytest.mark.slow
def test_another_filter_selects_anew_from_the_same_traces(here, monkeypatch):
    run_collect(recipe("first"), RUN, None)
    refuse_to_judge(monkeypatch)
    with pytest.raises(InputError, match="no pair of 11 is kept"):
        run_select(recipe("first"), RUN)
    assert RUN.manifest("select") is None
    run_select(recipe("first", select={"filter": "none"}), RUN)
    assert len(read_selection(RUN.selection).kept) == 11


def test_a_selection_of_fewer_pairs_than_are_collected_now_teaches_nothing(here):
    write_pairs("pairs.jsonl", PAIRS[:5])
    run_collect(recipe(), RUN, None)
    run_select(recipe(), RUN)
    assert lessons_of(recipe(), RUN, None).n_kept == 4
    write_pairs("pairs.jsonl", PAIRS)
    run_collect(recipe(), RUN, None)
    words = r"^runs/trial: collect has left other traces since select was done\. Run `judge distill select` "
    for learn in (lambda: lessons_of(recipe(), RUN, None), lambda: run_rank(recipe(), RUN)):
        with pytest.raises(InputError, match=words):
            learn()
    run_select(recipe(), RUN)
    assert lessons_of(recipe(), RUN, None).n_kept == 11


def test_a_selection_that_travelled_alone_teaches(here):
    run_collect(recipe(), RUN, None)
    run_select(recipe(), RUN)
    other = RunFolder(Path("runs/other"))
    other.path.mkdir()
    for name in ("select.json", "selection.jsonl.gz"):
        (other.path / name).write_bytes((RUN.path / name).read_bytes())
    assert lessons_of(recipe(), other, None).n_kept == 11


def round_of(train, start_from=None):
    """An adapter that learned pairs of these contents, and went on from that one."""
    return Adapter(
        "round", Path("runs/round"), "0" * 64, {"data": {"train": train}, "start_from": start_from}
    )


def test_held_out_pairs_that_an_earlier_round_learned_are_not_looked_at(here):
    made = recipe(select={"held_out": 0.5})
    run_collect(made, RUN, None)
    run_select(made, RUN)
    new = lessons_of(made, RUN, None)
    assert "learned_before" not in new.data
    assert new.warning == ""
    held_out = [one.pair for one in new.watched]
    assert len(held_out) > 2
    first, second, *others = held_out
    swapped = replace(second, conversation_a=second.conversation_b, conversation_b=second.conversation_a)
    earliest = {"name": "earliest", "data": {"train": [first.content_hash]}, "start_from": None}
    lessons = lessons_of(made, RUN, None, round_of([swapped.content_hash], earliest))
    assert [one.pair for one in lessons.watched] == others
    assert lessons.data["held_out"] == [pair.content_hash for pair in others]
    assert (lessons.data["learned_before"], lessons.data["watched"]) == (2, len(others))
    assert lessons.data["train"] == new.data["train"]
    assert lessons.warning == (
        "LEARNED BEFORE: 2 held-out pairs are left out, as an earlier round was trained on them."
    )
    none = lessons_of(made, RUN, None, round_of([pair.content_hash for pair in held_out]))
    assert (none.watched, none.data["held_out"]) == ([], [])
    assert none.warning.endswith(" No other pairs are held out, so this training is not watched.")


def test_an_earlier_round_whose_pairs_nobody_knows_takes_none_away(here):
    made = recipe(select={"held_out": 0.5})
    run_collect(made, RUN, None)
    run_select(made, RUN)
    unknown = round_of([], {"name": "older", "hash": "0" * 64})
    assert lessons_of(made, RUN, None, unknown).watched == lessons_of(made, RUN, None).watched


def test_select_refuses_what_was_not_collected_by_this_recipe(here):
    with pytest.raises(InputError, match="Run `judge distill collect` first"):
        run_select(recipe(), RUN)
    run_collect(recipe(), RUN, None)
    with pytest.raises(InputError, match="was done with other settings"):
        run_select(recipe("shorter"), RUN)
    [shard] = RUN.traces.iterdir()
    shard.write_bytes(shard.read_bytes() + b"x")
    with pytest.raises(InputError, match="files are not as collect left them"):
        run_select(recipe(), RUN)


def test_a_shard_beside_those_of_collect_is_not_selected_from(here):
    run_collect(recipe(), RUN, None)
    [shard] = RUN.traces.iterdir()
    shutil.copy(shard, shard.with_name("traces-00002.jsonl.gz"))
    with pytest.raises(InputError, match="files are not as collect left them"):
        run_select(recipe(), RUN)
    run_collect(recipe(), RUN, None)  # as the message says
    assert list(RUN.traces.iterdir()) == [shard]
    run_select(recipe(), RUN)


def test_more_than_one_changed_setting_is_counted_and_a_changed_seed_is_none_of_the_stages(here):
    run_collect(recipe(), RUN, None)
    run_select(recipe(), RUN)
    other = recipe(select={"margin": 0.5, "held_out": 0.3})
    with pytest.raises(InputError, match=r"select\.\w+ was .* and is .* now, and 1 more\. Give what it was"):
        made_before(other, RUN, "select")
    with pytest.raises(InputError, match=r"other settings of the recipe\. Run it again"):
        made_before(recipe(seed=7), RUN, "select")


@pytest.mark.parametrize(
    "command", ["collect", "select", "ranker", "answers --maker a=small --out a.jsonl.gz"]
)
def test_a_recipe_that_learns_the_rows_of_a_file_collects_nothing_unless_it_names_pairs(here, command):
    learns = {"method": "reply", "rows": "rows.jsonl"}
    Path("rows.yaml").write_text(json.dumps({"name": "rows", "train": learns}), encoding="utf-8")
    done = CliRunner().invoke(app, ["distill", *command.split(), "--config", "rows.yaml"])
    assert isinstance(done.exception, InputError)
    assert str(done.exception).startswith("rows.yaml: train.method reply learns the rows of a file, and no")
    assert not Path("runs").exists()


def test_a_run_that_was_not_checked_says_so_in_both_manifests(here, monkeypatch):
    unread = HeldOut({}, {"MT-bench": "no such file"})
    monkeypatch.setattr(stages, "held_out_texts", lambda folder, unchecked: unread)
    warnings = run_collect(recipe(), RUN, None)["warning"], run_select(recipe(), RUN)["warning"]
    assert all(warning.startswith("NOT CHECKED against MT-bench") for warning in warnings)


def test_what_the_teacher_noticed_is_told_once_and_stays_in_the_manifests(here, monkeypatch):
    news = ["one:8000 fails (no answer)."]

    def told(backend):
        return tuple(news)

    monkeypatch.setattr(api, "news_of", told)
    pairs = [replace(pair, criteria=criteria_given(["It is short."])) for pair in PAIRS]
    write_pairs("pairs.jsonl", pairs)
    collected = run_collect(recipe(character="longer"), RUN, None, round_pairs=5)
    warning = collected["warning"]
    assert warning == "one:8000 fails (no answer)."
    news.clear()
    assert run_collect(recipe(), RUN, None)["warning"] == warning  # nothing is read again
    assert run_select(recipe(), RUN)["warning"] == warning
    teacher = {"backend": "scripted:longer", "method": "cot"}
    values = {"collect": {"pairs": {"source": "file", "path": "pairs.jsonl"}, "teacher": teacher}}
    other = run_collect(recipe(**values), RunFolder(Path("runs/cot")), None, round_pairs=5)
    assert other["warning"].startswith("11 of 11 pairs have criteria of their own, which method cot does not")
    assert "noticed" not in other


def test_the_command_line_collects_and_selects_and_says_what_was_kept(here):
    Path("trial.yaml").write_text(json.dumps(recipe_to_json(recipe())), encoding="utf-8")

    def judge(*arguments: str) -> str:
        done = CliRunner().invoke(app, ["distill", *arguments, "--config", "trial.yaml"])
        if isinstance(done.exception, JudgeError):
            return str(done.exception)
        assert done.exit_code == 0, (done.output, done.exception)
        return done.stdout

    assert "Run `judge distill collect` first" in judge("select")
    said = judge("collect", "--limit", "5", "--quiet")
    assert "pairs read in both orders by scripted-longer+none/bsm@scripted#" in said
    assert "left out: 7 beyond the limit" in said
    assert judge("select").endswith(
        "collect was done with other settings: collect.pairs.limit was 5 and is null now. Give what it was, "
        "or run collect again."
    )
    assert "5 pairs read" in judge("collect", "--limit", "5", "--round", "2", "--quiet", "--folder", "rounds")
    said = judge("select", "--limit", "5")
    assert "Kept" in said
    assert "100.0 %" in said
    assert (here / "runs" / "trial" / "selection.jsonl.gz").is_file()
    assert "collect.pairs.limit was 5 and is null now" in judge("train", "--quiet")


def test_runs_may_share_a_ledger(here, monkeypatch):
    shared = Path("shared.sqlite")
    first = run_collect(recipe(), RUN, None, ledger_path=shared)
    assert not RUN.ledger.exists()
    refuse_to_judge(monkeypatch)
    other = run_collect(recipe(), RunFolder(Path("runs/other")), None, ledger_path=shared)
    assert other["files"] == first["files"]


# --- a teacher whose readings are in a shard


def recorded(shard, **teacher):
    values = {"backend": "scripted:longer", "method": "bsm", "recorded": str(shard), **teacher}
    pairs = {"source": "file", "path": "pairs.jsonl"}
    return recipe(collect={"pairs": pairs, "teacher": values})


@pytest.fixture
def shard(here):
    """What the teacher of `recipe` said of all pairs."""
    run_collect(recipe(), RunFolder(Path("runs/before")), None, ledger_path=Path("before.sqlite"))
    with Ledger(Path("before.sqlite")) as ledger:
        [path] = ledger.export(Path("shards"))
    return path


def test_readings_of_a_shard_teach_as_they_did_and_nobody_is_asked(shard, monkeypatch):
    before = run_select(recipe(), RunFolder(Path("runs/before")))
    refuse_to_judge(monkeypatch)
    n_read, read_shard = 0, reading.read_shard

    def counted(path):
        nonlocal n_read
        n_read += 1
        return read_shard(path)

    monkeypatch.setattr(reading, "read_shard", counted)
    made = run_collect(recorded(shard), RUN, None)
    assert n_read == 1
    selected = run_select(recorded(shard), RUN)
    assert made["n_pairs"] == 11
    assert made["teacher"]["method"] == "bsm"
    assert selected["files"] == before["files"]
    assert [one.verdict.p_a for one in read_traces(RUN.traces)] == [
        one.verdict.p_a for one in read_traces(RunFolder(Path("runs/before")).traces)
    ]


def test_the_first_of_several_shards_takes_those_that_go_on_from_it(shard):
    with Ledger(Path("before.sqlite")) as ledger:
        parts = ledger.export(Path("parts"), max_bytes=800)
    assert len(parts) > 2
    run_collect(recorded(shard), RUN, None)
    split = RunFolder(Path("runs/split"))
    assert run_collect(recorded(parts[0]), split, None)["files"] == RUN.manifest("collect")["files"]
    with pytest.raises(InputError, match=r"-0002\.jsonl\.gz: lacks \d+ of the recipe's pairs"):
        run_collect(recorded(parts[1]), RunFolder(Path("runs/second")), None)


def test_a_shard_of_another_judge_under_the_name_of_a_second_one_is_refused(shard):
    direct = recorded("", method="direct")
    run_collect(direct, RunFolder(Path("runs/other")), None, ledger_path=Path("other.sqlite"))
    with Ledger(Path("other.sqlite")) as ledger:
        [other] = ledger.export(Path("other"))
    other.rename(shard.with_name(shard.name.replace("-0001", "-0002")))
    with pytest.raises(
        InputError, match=r"-0002\.jsonl\.gz: read by scripted-longer\+none/direct@scripted#\w+, and"
    ):
        run_collect(recorded(shard), RUN, None)


def replaced(shard, number, **changes):
    """Writes the shard anew, with changes to the reading in that line."""
    lines = gzip.decompress(shard.read_bytes()).decode().splitlines()
    lines[number - 1] = json.dumps(json.loads(lines[number - 1]) | changes)
    shard.write_bytes(gzip.compress("".join(f"{line}\n" for line in lines).encode()))


def readings_in(path):
    with Ledger(path) as ledger:
        return ledger.summary()


def test_a_replaced_shard_is_noticed_and_one_that_is_as_it_was_is_not(shard):
    first = run_collect(recorded(shard), RUN, None)
    assert run_collect(recorded(shard), RUN, None) == first
    replaced(shard, 2, recorded_at="2031-01-31T12:00:00+00:00")
    again = run_collect(recorded(shard), RUN, None)
    assert again["inputs"]["shards"] != first["inputs"]["shards"]
    assert again["files"] == first["files"]


def test_a_shard_that_says_something_else_than_the_ledger_is_refused_and_not_taken_in(shard):
    first = run_collect(recorded(shard), RUN, None)
    before = readings_in(RUN.ledger)
    replaced(shard, 2, tokens_in=12_345)
    replaced(shard, 3, content="0" * 64)
    words = (
        rf"^{shard}: 1 of its readings differ from those in {RUN.ledger}, and none was taken in\. "
        r"Name the shard that those came from, or begin anew in another --folder\.$"
    )
    with pytest.raises(InputError, match=words):
        run_collect(recorded(shard), RUN, None)
    assert readings_in(RUN.ledger) == before
    assert RUN.manifest("collect") == first


def test_a_shard_with_a_bad_line_leaves_nothing_in_the_ledger(shard):
    replaced(shard, 3, probabilities={"FIRST": 0.7})
    with pytest.raises(BadLines, match=rf"^{shard}:3: probabilities misses SECOND"):
        run_collect(recorded(shard), RUN, None)
    assert readings_in(RUN.ledger) == []


def test_what_the_teacher_could_not_read_is_told_again_and_not_asked_for(here, monkeypatch):
    unread = {"backend": "scripted:unreadable:2", "method": "direct"}
    before = RunFolder(Path("runs/before"))
    run_collect(recorded("", **unread), before, None, ledger_path=Path("before.sqlite"))
    with Ledger(Path("before.sqlite")) as ledger:
        [path] = ledger.export(Path("shards"))
    refuse_to_judge(monkeypatch)
    run_collect(recorded(path, **unread), RUN, None)
    told = [trace.verdict.status for trace in read_traces(RUN.traces)]
    assert told == [trace.verdict.status for trace in read_traces(before.traces)]
    assert Status.UNPARSED in told


def test_a_shard_that_lacks_a_pair_is_one_line_that_names_it(shard):
    write_pairs("pairs.jsonl", [*PAIRS, pair_of("new", "old", "Another?", "new")])
    with pytest.raises(InputError, match=r"\.gz: lacks 1 of the recipe's pairs, \S+ first\. Take the shard"):
        run_collect(recorded(shard), RUN, None)
    assert RUN.manifest("collect") is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"method": "direct"}, r"read by another teacher, of method 'bsm'\. The recipe's has 'direct'\."),
        ({"recorded": "nowhere.gz"}, r"^nowhere\.gz: no such file\. It must be a shard that"),
        ({"recorded": "pairs.jsonl"}, r"pairs\.jsonl: .* A shard is a whole gzip file of UTF-8 text\."),
    ],
)
def test_another_teachers_shard_and_what_is_none_are_one_line(shard, changes, words):
    with pytest.raises(JudgeError, match=words) as caught:
        run_collect(recorded(shard, **changes), RUN, None)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("adapter", ["none", shipped_adapter("qwen2.5-coder-0.5b", "score")])
def test_a_shard_of_a_teacher_with_another_adapter_is_refused(tmp_path, adapter):
    named = {"base_model": "qwen2.5-coder-1.5b", "method": "score", "max_prompt_tokens": 2048}
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        right = judge_options(**named, adapter=shipped_adapter("qwen2.5-coder-1.5b", "score"))
        assert recorded_options(right, OF_THE_LARGE).load(silent, ledger).identity.adapter == "ladder-1.5b"
        other = recorded_options(judge_options(**named, adapter=adapter), OF_THE_LARGE)
        with pytest.raises(InputError, match=r"read by another teacher, of adapter 'ladder-1\.5b'\."):
            other.load(silent, ledger)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"max_prompt_tokens": 4096}, r"of max_prompt_tokens 2048\. The recipe's has 4096\."),
        ({"overflow": "error"}, r"of overflow 'trim'\. The recipe's has 'error'\."),
        ({"base_model": "small"}, r"of base_model 'qwen2\.5-coder-1\.5b'\. The recipe's has"),
        ({"method": "direct"}, r"of method 'score'\. The recipe's has 'direct'\."),
    ],
)
def test_a_shard_of_a_teacher_of_other_options_is_refused(tmp_path, changes, words):
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        other = recorded_options(judge_options(**(OPTIONS_OF_THE_LARGE | changes)), OF_THE_LARGE)
        with pytest.raises(InputError, match=words):
            other.load(silent, ledger)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"ties": True}, r"of letters 'AB'\. The recipe's has 'ABC'\."),
        ({"method": "cot"}, "of method 'direct'"),
    ],
)
def test_a_shard_in_which_other_answers_were_asked_for_is_refused(here, changes, words):
    teacher = {"backend": "scripted:longer", "method": "direct"}
    run_collect(recorded("", **teacher), RUN, None, ledger_path=Path("before.sqlite"))
    with Ledger(Path("before.sqlite")) as ledger:
        [path] = ledger.export(Path("shards"))
    with pytest.raises(InputError, match=words):
        run_collect(recorded(path, **(teacher | changes)), RUN, None)


def test_a_shard_that_other_prompts_or_another_model_made_is_refused(tmp_path):
    named = recorded_options(judge_options(**OPTIONS_OF_THE_LARGE), OF_THE_LARGE).named
    for name in ("prompts", "base_model_hash"):
        assert len(named[name]) == 64
        shard = read_by_another(tmp_path / "shard.jsonl.gz", **{name: "0" * 64})
        with Ledger(tmp_path / "ledger.sqlite") as ledger, pytest.raises(InputError, match=f"of {name} '0"):
            recorded_options(judge_options(**OPTIONS_OF_THE_LARGE), shard).load(silent, ledger)


def read_by_another(path, **changes):
    """The shard of the 1.5B judge with another judge in its header."""
    header, *lines = gzip.decompress(OF_THE_LARGE.read_bytes()).decode().splitlines()
    identity = json.loads(header)["identity"] | changes
    fingerprint = Identity(**identity).fingerprint
    header = json.dumps(json.loads(header) | {"identity": identity, "fingerprint": fingerprint})
    path.write_bytes(gzip.compress("".join(f"{line}\n" for line in (header, *lines[:2])).encode()))
    return path


@pytest.mark.parametrize("name", WITH_SHARDS)
def test_the_shards_of_our_own_recipes_are_those_of_their_teachers(tmp_path, monkeypatch, name):
    monkeypatch.chdir(CHECKOUT)
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        read_recipe(f"recipes/{name}").collect.teacher.options().load(silent, ledger)
        assert all(one.n_readings for one in ledger.summary())

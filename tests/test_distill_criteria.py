"""From a written policy to a judge of it: a teacher goes by criteria, and a student learns them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from models import VERDICT_MERGES, make_model
from pairs import pair_of
from test_methods import shown_text
from typer.testing import CliRunner

from distill import stages
from distill.clean import HeldOut
from distill.folder import RunFolder
from distill.lessons import prompt_for
from distill.recipe import read_recipe, recipe_of, recipe_to_json, settings_hash
from distill.selectionfile import read_selection
from distill.stages import run_collect, run_select
from distill.traces import read_traces
from distill.trainstage import run_train
from judge.backends import Settings
from judge.backends.scripted import CHARACTERS, text_of
from judge.cli.main import app
from judge.errors import BadLines, InputError
from judge.io.pairs import write_pairs
from judge.ledger.ledger import Ledger
from judge.models.adapters import criteria_of, read_adapter
from judge.options import JudgeOptions
from judge.records import Order, Outcome

POLICY = "price: names the price | weight 2\npolite: is polite\n"
PAIRS = [
    pair_of(
        *(("It is 5 euros.", "Please ask us.") if n % 2 else ("Please ask us, do.", f"{n} euros")),
        prompt=f"What is ticket {n}?",
        id=f"t{n}",
    )
    for n in range(12)
]
RUN = RunFolder(Path("runs/policy"))


def by_policy(prompt, index):
    """The policy's own judge: 5 for an answer that meets the criterion, else 1."""
    word = "euros" if "Criterion: price" in shown_text(prompt) else "Please"
    side = {"A": "first", "B": "second"}[prompt.reply_start[6]]
    return f"[[{5 if word in text_of(prompt, side) else 1}]]"


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty folder with a policy and pairs, and a teacher that knows it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(stages, "held_out_texts", lambda folder, unchecked: HeldOut({}, {}))
    monkeypatch.setitem(CHARACTERS, "policy", by_policy)
    Path("policy.txt").write_text(POLICY, encoding="utf-8")
    write_pairs("pairs.jsonl", PAIRS)
    return tmp_path


def recipe(criteria="policy.txt", teacher=(), **more):
    values = {
        "name": "policy",
        "collect": {
            "pairs": {"source": "file", "path": "pairs.jsonl"},
            "teacher": {
                "backend": "scripted:policy",
                "method": "bsm",
                "criteria": criteria,
                **dict(teacher),
            },
        },
    }
    return recipe_of(values | more, "policy.yaml")


def test_the_teacher_goes_by_the_policy_and_both_manifests_name_it(here):
    collected = run_collect(recipe(), RUN, None)
    assert collected["criteria"] == POLICY.splitlines()
    assert "12345 by price: names the price | weight 2; polite" in collected["teacher"]["letters"]
    named = {trace.pair.id: "euros" in trace.pair.response_a for trace in read_traces(RUN.traces)}
    for trace in read_traces(RUN.traces):
        assert trace.verdict.outcome is (Outcome.A if named[trace.pair.id] else Outcome.B)
    assert run_select(recipe(), RUN)["criteria"] == POLICY.splitlines()
    assert len(read_selection(RUN.selection).kept) == len(PAIRS)


def test_a_teacher_with_criteria_that_names_no_method_goes_by_a_checklist():
    values = {"name": "policy", "collect": {"teacher": {"criteria": ["polite"]}}}
    made = recipe_of(values, "policy.yaml").collect.teacher
    assert made.method == made.options().asked_by == "checklist"
    assert recipe_of({"name": "policy"}, "policy.yaml").collect.teacher.method == "bsm"


def test_a_changed_policy_is_collected_anew_and_the_same_one_is_not(here):
    first = run_collect(recipe(), RUN, None)
    assert run_collect(recipe(), RUN, None) == first
    Path("policy.txt").write_text("polite: is polite\n", encoding="utf-8")
    again = run_collect(recipe(), RUN, None)
    assert again["criteria"] == ["polite: is polite"]
    assert again["inputs"]["teacher"] != first["inputs"]["teacher"]


def test_criteria_may_stand_in_the_recipe(here):
    by_name = [{"price": "names the price | weight 2"}, {"polite": "is polite"}]  # without quotes in YAML
    assert recipe(by_name) == recipe(POLICY.splitlines())
    assert run_collect(recipe(by_name), RUN, None)["criteria"] == POLICY.splitlines()


def test_criteria_of_pairs_are_kept_from_the_file_to_the_selection(here):
    [criterion] = recipe(["own"]).collect.teacher.options().method_settings.criteria
    write_pairs("pairs.jsonl", [pair_of("Please.", "euros", criteria=(criterion,))])
    run_collect(recipe(), RUN, None)
    run_select(recipe(select={"filter": "none"}), RUN)
    [trace], [kept] = read_traces(RUN.traces), read_selection(RUN.selection).kept
    assert trace.pair.criteria == kept.pair.criteria == (criterion,)
    assert [step.name for step in trace.verdict.readings[Order.AB].steps] == ["own"]


@pytest.mark.parametrize(
    ("teacher", "message"),
    [
        (
            {"method": "cot"},
            "collect.teacher.criteria: only a teacher of method bsm, bsm-text, checklist alone",
        ),
        ({"signals": {"yes": 1.0}}, "collect.teacher.criteria: only a teacher of method bsm"),
        ({"criteria": 7}, "collect.teacher.criteria: criteria is a number. It must be text, or a list of"),
        ({"criteria": ["a", "b | weight 0"]}, "collect.teacher.criteria: criteria, line 2: weight is '0'."),
    ],
)
def test_a_teacher_that_cannot_judge_by_criteria_is_a_mistake_of_the_recipe(here, teacher, message):
    with pytest.raises(BadLines) as caught:
        recipe(teacher=teacher)
    [problem] = caught.value.problems
    assert problem.startswith(f"policy.yaml: {message}")


def test_a_bad_policy_stops_the_run_with_its_line(here):
    Path("policy.txt").write_text("price | weight -2\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"^policy.txt:1: weight is '-2'\. It must be"):
        run_collect(recipe(), RUN, None)


def test_without_criteria_a_recipe_and_its_hash_say_nothing_of_them(here):
    plain = recipe("", {"method": "bsm"})
    assert "criteria" not in recipe_to_json(plain)["collect"]["teacher"]
    assert recipe_of(recipe_to_json(plain), "again") == plain
    assert recipe_of(recipe_to_json(recipe()), "again") == recipe()
    assert settings_hash(plain, "collect") != settings_hash(recipe(), "collect")
    Path("mine.yaml").write_text("name: mine\n", encoding="utf-8")
    assert read_recipe("mine.yaml").collect.teacher.criteria == ""


def test_recorded_readings_of_a_teacher_with_other_criteria_are_refused(here):
    run_collect(recipe(), RUN, None)
    with Ledger(RUN.ledger) as ledger:
        [shard] = ledger.export(Path("shards"))
    told = {"recorded": str(shard)}
    again = run_collect(recipe(teacher=told), RunFolder(Path("runs/again")), None)
    assert again["n_pairs"] == len(PAIRS)
    with pytest.raises(InputError, match=r"read by another teacher, of letters '12345 by price"):
        run_collect(recipe(["polite"], told), RunFolder(Path("runs/other")), None)


@pytest.mark.slow
def test_the_student_is_asked_nothing_of_the_criteria_its_manifest_names_them_and_the_judge_says_them(
    here, monkeypatch
):
    monkeypatch.setenv("JUDGE_CACHE", str(here / "cache"))
    make_model(here / "tiny", VERDICT_MERGES)
    train = {"base_model": str(here / "tiny"), "epochs": 1, "rank": 4, "dtype": "float32", "device": "cpu"}
    made = recipe(train=train)
    run_collect(made, RUN, None)
    run_select(made, RUN)
    run_train(made, RUN, None)
    adapter = read_adapter(RUN.adapter)
    assert criteria_of(adapter) == POLICY.splitlines()
    assert adapter.manifest["templates"] == ["direct"]
    [*kept] = read_selection(RUN.selection).kept
    assert not any("names the price" in shown_text(prompt_for(made, one.pair, Order.AB)) for one in kept)
    settings = Settings(str(here / "tiny"), str(RUN.adapter))
    assert JudgeOptions(settings=settings).learned_criteria == POLICY.splitlines()

    own = ["--adapter", str(RUN.adapter), "--base-model", str(here / "tiny")]
    ran = CliRunner().invoke(app, ["run", "pairs.jsonl", *own, "--out", "fast.jsonl"])
    assert ran.exit_code == 0, ran.output
    assert "Learned criteria: price: names the price | weight 2; polite: is polite" in ran.stderr
    first = json.loads(Path("fast.jsonl").read_text("utf-8").splitlines()[0])
    assert first["orders"]["AB"]["tokens_out"] == 4
    shown = CliRunner().invoke(app, ["adapters", "show", str(RUN.adapter)])
    assert "price: names the price | weight 2; polite: is polite" in " ".join(shown.stdout.split())

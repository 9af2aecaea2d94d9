"""Whole runs within a time on a tiny model, with a clock that the test moves: cut, gone on with, killed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from models import VERDICT_MERGES, make_model
from pairs import pair_of
from typer.testing import CliRunner

from distill import stages, votes
from distill.checkpoint import Checkpoint
from distill.clean import HeldOut
from distill.folder import RunFolder
from distill.recipe import recipe_of, recipe_to_json
from distill.selection import Selection
from distill.stages import run_collect, run_select, shares_of
from distill.traces import read_traces
from distill.train import Training, VerdictTraining, rate_at
from distill.trainstage import run_train, try_training
from distill.within import budget_of
from judge.backends.scripted import ScriptedBackend
from judge.cli.main import app
from judge.errors import BackendError, JudgeError
from judge.io.pairs import write_pairs
from judge.io.votes import write_votes
from judge.models.adapters import read_adapter
from judge.records import Ballot, HumanVote

pytestmark = pytest.mark.slow

PAIRS = [
    pair_of(f"a long answer to question {n}, and the sun is out", "short", f"Question {n}?", f"p{n}")
    for n in range(60)
]
RUN = RunFolder(Path("runs/trial"))


class Clock:
    """Moves a second with each question to the teacher, and as it is told with each batch that is learned."""

    def __init__(self) -> None:
        self.now = 0.0
        self.n_asked = 0
        self.step_s = 1.0
        self.fails_at = 10_000

    def __call__(self) -> float:
        return self.now


class Killed(BaseException):
    pass


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return make_model(tmp_path_factory.mktemp("models") / "tiny", VERDICT_MERGES)


@pytest.fixture
def clock(tmp_path, monkeypatch):
    """An empty folder with pairs, a teacher and a student that take time."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(stages, "held_out_texts", lambda folder, unchecked: HeldOut({}, {}))
    write_pairs("pairs.jsonl", PAIRS)
    clock = Clock()
    choose, losses = ScriptedBackend.choose, VerdictTraining._losses

    def slow_choose(self, prompts, choices):
        if clock.n_asked + len(prompts) > clock.fails_at:
            raise BackendError("the power went out")
        clock.now += len(prompts)
        clock.n_asked += len(prompts)
        return choose(self, prompts, choices)

    def slow_losses(self, batch):
        clock.now += clock.step_s
        return losses(self, batch)

    monkeypatch.setattr(ScriptedBackend, "choose", slow_choose)
    monkeypatch.setattr(VerdictTraining, "_losses", slow_losses)
    return clock


def recipe(tiny, **train):
    settings = {"base_model": str(tiny), "epochs": 2, "learning_rate": 0.01, "rank": 4, "layers": 0.5}
    settings |= {"batch_tokens": 1024, "evaluations": 2, "dtype": "float32", "device": "cpu"}
    values = {
        "name": "trial",
        "collect": {
            "pairs": {"source": "file", "path": "pairs.jsonl"},
            "teacher": {"backend": "scripted:longer", "method": "direct"},
        },
        "select": {"held_out": 0.2},
        "train": settings | train,
    }
    return recipe_of(values, "trial.yaml")


def run(made, clock, seconds, progress=lambda *_: None, said=None):
    """A whole run; without seconds it has no time to keep to."""
    budget = (
        None if seconds is None else budget_of(seconds, [].append if said is None else said.append, clock)
    )

    def trial(pairs):
        return try_training(made, pairs, progress, budget)

    collected = run_collect(made, RUN, None, progress, None, budget, trial)
    run_select(made, RUN)
    return collected, run_train(made, RUN, None, progress, budget)


def test_a_run_ends_in_time_with_an_adapter_that_says_where_it_was_cut(clock, tiny):
    said = []
    collected, trained = run(recipe(tiny), clock, 90, said=said)
    assert clock.now <= 90
    within = collected["within"]
    assert within == {"seconds": 90, "collected": collected["n_pairs"], "of": 60}
    assert 5 < within["collected"] < 60
    assert len(read_traces(RUN.traces)) == within["collected"]
    assert json.loads((RUN.path / "collect.json").read_text("utf-8"))["within"] == within
    manifest = read_adapter(RUN.adapter).manifest
    assert manifest["within"] == trained["within"]
    assert manifest["within"] | within == manifest["within"]
    assert manifest["within"]["steps"] == trained["metrics"]["n_steps"]
    assert manifest["within"]["kept"] == within["collected"]
    assert said[0].startswith("collect ")
    assert said[0].endswith(", check")
    assert said[1].startswith("LITTLE TO LEARN FROM: about ")
    assert any(line.startswith("train ") and line.endswith(", check") for line in said)
    assert "LITTLE TO LEARN FROM" in trained["warning"]


def test_training_was_tried_first_where_there_is_time_and_the_plan_goes_by_it(clock, tiny):
    clock.step_s = 4.0
    said = []
    _, trained = run(recipe(tiny, epochs=1), clock, 200, said=said)
    assert clock.now <= 200
    first = next(line for line in said if line.startswith("collect "))
    assert "up to" not in first
    assert trained["within"]["epochs"] > 0.4


def test_a_run_with_time_enough_is_a_run_without_a_time(clock, tiny):
    collected, trained = run(recipe(tiny), clock, 3600)
    assert collected["within"]["collected"] == 60
    assert (trained["within"]["is_cut"], trained["within"]["epochs"]) == (False, 2)
    n_asked = clock.n_asked
    assert run(recipe(tiny), clock, None) == (collected, trained)
    assert clock.n_asked == n_asked


def test_the_same_time_or_less_finds_it_done_and_no_time_goes_on_with_what_was_not_read(clock, tiny):
    cut = run(recipe(tiny), clock, 60)
    n_asked = clock.n_asked
    assert run(recipe(tiny), clock, 60) == cut
    assert run(recipe(tiny), clock, 40) == cut
    assert clock.n_asked == n_asked
    collected, trained = run(recipe(tiny), clock, None)
    assert collected["n_pairs"] == 60
    assert clock.n_asked - n_asked == 2 * (60 - cut[0]["n_pairs"])
    assert "within" not in collected.keys() | trained.keys() | read_adapter(RUN.adapter).manifest.keys()
    assert trained["metrics"]["n_steps"] == trained["metrics"]["n_steps_planned"]


def test_going_on_with_a_cut_run_may_fail_and_nothing_that_was_read_is_read_again(clock, tiny, monkeypatch):
    monkeypatch.setattr(ScriptedBackend, "batch_characters", 1000)
    cut, _ = run(recipe(tiny), clock, 60)
    n_asked = clock.n_asked
    clock.fails_at = n_asked + 50
    with pytest.raises(BackendError):
        run(recipe(tiny), clock, None)
    assert n_asked < clock.n_asked <= n_asked + 50
    assert RUN.manifest("collect") == cut
    clock.fails_at = 10_000
    assert run(recipe(tiny), clock, None)[0]["n_pairs"] == 60
    assert clock.n_asked - n_asked == 2 * (60 - cut["n_pairs"])


def test_more_time_goes_on_too(clock, tiny):
    cut, _ = run(recipe(tiny), clock, 40)
    clock.now = 0
    more, trained = run(recipe(tiny), clock, 80)
    assert more["n_pairs"] > cut["n_pairs"]
    assert trained["within"]["seconds"] == 80


def test_the_rate_falls_to_zero_where_the_plan_ends(clock, tiny, monkeypatch):
    clock.step_s, ran = 3.0, []
    monkeypatch.setattr(Training, "run", kept_by(Training.run, ran))
    _, trained = run(recipe(tiny, epochs=5), clock, 60)
    [history] = ran
    n_steps, of_steps = len(history.steps), trained["within"]["of_steps"]
    assert n_steps < of_steps
    assert [one.learning_rate for one in history.steps] == [
        rate_at(number, n_steps, 0.01, 0.05) for number in range(1, n_steps + 1)
    ]
    assert trained["within"]["epochs"] == pytest.approx(5 * n_steps / of_steps, abs=0.01)
    assert trained["inputs"]["within"] == 60


def kept_by(function, results):
    def call(*given):
        trained = function(*given)
        results.append(trained.history)
        return trained

    return call


def test_steps_that_take_longer_than_planned_end_the_run_after_one_of_them(clock, tiny, monkeypatch):
    step = Training.step

    def slower(self, number):
        clock.now += 15
        return step(self, number)

    monkeypatch.setattr(Training, "step", slower)
    _, trained = run(recipe(tiny, epochs=4), clock, 60)
    assert 1 <= trained["within"]["steps"] < trained["metrics"]["n_steps_planned"]
    assert trained["within"]["is_cut"]
    assert trained["metrics"]["after"]["step"] == trained["metrics"]["n_steps"]
    assert read_adapter(RUN.adapter).name == "trial"


def test_a_killed_run_goes_on_with_the_plan_that_it_had(clock, tiny, monkeypatch):
    numbers: list[tuple[int, int]] = []

    def kill(stage, done, total):
        if stage.startswith("training"):
            numbers.append((done, total))
            if done == total - 1:
                raise Killed

    monkeypatch.setattr(Checkpoint, "every_s", 0.0)
    made = recipe(tiny, epochs=4)
    with pytest.raises(Killed):
        run(made, clock, 60, kill)
    assert RUN.manifest("train") is None
    n_asked, planned = clock.n_asked, numbers[-1][1]
    clock.now, clock.step_s = 0, 0.1
    numbers.clear()
    _, trained = run(
        made, clock, 60, lambda stage, *step: numbers.append(step) if "letter" in stage else None
    )
    assert clock.n_asked == n_asked
    assert trained["metrics"]["n_steps"] == numbers[-1][1] == planned
    assert numbers[0][0] > 1


def test_a_killed_run_with_another_time_is_planned_anew(clock, tiny):
    def kill(stage, done, total):
        if stage.startswith("training") and done == total - 1:
            raise Killed

    made = recipe(tiny, epochs=4)
    clock.step_s = 0.1
    run_collect(made, RUN, None)
    clock.step_s = 3.0
    with pytest.raises(Killed):
        run(made, clock, 60, kill)
    _, trained = run(made, clock, 6000)
    assert (trained["within"]["is_cut"], trained["within"]["epochs"]) == (False, 4)


def test_pairs_made_by_construction_count_where_time_is_shared_out(tiny):
    one = Selection((), {}, "swap", 0.0, False, 0.2, 0)
    plain, more = (
        shares_of(recipe(tiny, **train), one, 8)
        for train in ({}, {"constructed": {"other_request": 0.5, "form": 1.5}})
    )
    assert plain[0] == more[0]
    assert more[1] == 3 * plain[1]


def test_without_held_out_pairs_less_than_an_epoch_ends_with_an_adapter(clock, tiny):
    clock.step_s = 6.0
    values = recipe_to_json(recipe(tiny, epochs=1))
    values["select"]["held_out"] = 0.0
    _, trained = run(recipe_of(values, "trial.yaml"), clock, 60)
    assert trained["within"]["epochs"] < 1
    assert "of an epoch, so not every pair is seen" in trained["warning"]
    assert read_adapter(RUN.adapter).manifest["within"]["watched"] == 0


def test_people_s_votes_are_learned_within_a_time_too(clock, tiny, monkeypatch):
    monkeypatch.setattr(votes, "held_out_texts", lambda folder, unchecked: HeldOut({}, {}))
    write_votes("votes.jsonl", [HumanVote(pair.id, "someone", Ballot.B) for pair in PAIRS])
    made, said = recipe(tiny, targets="votes", votes="votes.jsonl"), []
    clock.step_s = 2.0
    trained = run_train(made, RUN, None, budget=budget_of(60, said.append, clock))
    assert clock.now <= 60
    assert trained["within"]["is_cut"]
    assert said[0].startswith("train ")
    assert read_adapter(RUN.adapter).manifest["within"]["kept"] == 60


def test_the_command_line_says_its_plans_and_refuses_what_is_no_time(clock, tiny):
    Path("trial.yaml").write_text(json.dumps(recipe_to_json(recipe(tiny))), encoding="utf-8")

    def judge(*arguments: str) -> str:
        done = CliRunner().invoke(app, ["distill", "all", "--config", "trial.yaml", *arguments])
        if isinstance(done.exception, JudgeError):
            return str(done.exception)
        assert done.exit_code == 0, (done.output, done.exception)
        return done.stdout

    assert judge("--within", "9 minutes") == (
        "--within: '9 minutes'. It must be a time such as 90s, 9m, 2h or 1h30m."
    )
    assert judge("--within", "5s") == "--within: '5s'. It must be at least 20s: two models have to load."
    assert not RUN.path.exists()
    said = judge("--within", "5m")
    assert "collect all 60 pairs until 0:" in said
    assert "train 2 epochs until 0:" in said
    assert "Adapter: runs/trial/adapter" in said
    assert "collect " not in judge("--within", "5m", "--quiet")

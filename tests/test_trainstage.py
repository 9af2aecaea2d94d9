"""The train stage on a tiny model: from a selection or from votes to an adapter that loads, done once."""

from __future__ import annotations

import json
import math
import re
import shutil
from pathlib import Path

import pytest
from models import VERDICT_MERGES, make_adapter, make_model
from pairs import pair_of
from typer.testing import CliRunner

from distill import stages, votes
from distill.checkpoint import SmallCheckpoint
from distill.clean import HeldOut
from distill.folder import RunFolder
from distill.recipe import recipe_of, recipe_to_json
from distill.stages import run_collect, run_select
from distill.train import Training
from distill.trainstage import chance_warning, run_train, start_of
from judge.backends import ChoiceProbabilities, Settings, load_backend
from judge.backends.embedded import EmbeddedBackend
from judge.cli.main import app
from judge.errors import InputError, JudgeError, ModelError
from judge.io.pairs import write_pairs
from judge.io.votes import write_votes
from judge.methods import MemoryStore, load_method
from judge.models.adapters import read_adapter
from judge.options import JudgeOptions
from judge.orders import outcome_of
from judge.progress import silent
from judge.records import Ballot, HumanVote, Order

pytestmark = pytest.mark.slow

PAIRS = [
    pair_of(f"a long answer to question {n}, and the sun is out", "short", f"Question {n}?", f"p{n}")
    for n in range(14)
]
RUN = RunFolder(Path("runs/trial"))
NOTHING_HELD_OUT = HeldOut({}, {})


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return make_model(tmp_path_factory.mktemp("models") / "tiny", VERDICT_MERGES)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty folder with pairs and votes, where nothing must be kept out."""
    monkeypatch.chdir(tmp_path)
    for module in (stages, votes):
        monkeypatch.setattr(module, "held_out_texts", lambda folder, unchecked: NOTHING_HELD_OUT)
    write_pairs("pairs.jsonl", PAIRS)
    write_votes("votes.jsonl", [HumanVote(pair.id, "someone", Ballot.B) for pair in PAIRS])
    return tmp_path


def recipe(tiny, character="longer", select=(), **train):
    settings = {
        "base_model": str(tiny),
        "epochs": 2,
        "learning_rate": 0.01,
        "rank": 4,
        "layers": 0.5,
        "accumulate": 1,
        "batch_tokens": 4096,
        "evaluations": 2,
        "contrast": 0.5,
        "constraints": 0.5,
        "dtype": "float32",
        "device": "cpu",
    }
    values = {
        "name": "trial",
        "collect": {
            "pairs": {"source": "file", "path": "pairs.jsonl"},
            "teacher": {"backend": f"scripted:{character}", "method": "bsm"},
        },
        "select": {"held_out": 0.3, **dict(select)},
        "train": settings | train,
    }
    return recipe_of(values, "trial.yaml")


def trained(made, folder=RUN, progress=lambda *_: None):
    run_collect(made, folder, None)
    run_select(made, folder)
    return run_train(made, folder, None, progress)


def test_the_adapter_loads_and_its_manifest_says_how_it_was_made(here, tiny):
    manifest = trained(recipe(tiny))
    adapter = read_adapter(RUN.adapter)
    values = adapter.manifest
    assert (adapter.name, values["targets"], values["letters"]) == ("trial", "hard", "AB")
    data = values["data"]
    assert len(data["train"]) + len(data["held_out"]) == 14
    assert data["watched"] == len(data["held_out"]) > 0
    assert sum(data["contrast"].values()) == round(len(data["train"]) / 2)
    assert sum(data["constraints"].values()) > 0
    assert values["settings"]["train"]["contrast"] == 0.5
    assert values["lora"]["layers"] == [1, 1]
    metrics = values["metrics"]
    made = sum(data["contrast"].values()) + sum(data["constraints"].values())
    assert metrics["n_rows"] == 2 * (len(data["train"]) + made)
    assert metrics["before"]["agreement"]["total"] == data["watched"]
    assert metrics == manifest["metrics"]
    assert manifest["loaded_difference"] < 1e-4
    assert {"commit", "versions", "measured_at"} <= values.keys()
    assert RUN.curves.read_text("utf-8").startswith("<?xml")
    assert not RUN.training.exists()
    method = load_method("direct", load_backend("embedded", Settings(str(tiny), str(RUN.adapter))))
    [reading] = method.read([(PAIRS[0], Order.AB)])
    assert reading.tokens_out == 4
    assert method.identity.adapter == "trial"


def test_a_longer_training_says_first_what_it_takes_and_learns_the_same(here, tiny):
    made = recipe(tiny, epochs=5, batch_tokens=512, patience=0)
    before = trained(made)
    shutil.rmtree(RUN.adapter)
    said: list[str] = []
    after = run_train(made, RUN, None, say=said.append)
    [weights] = [name for name in after["files"] if name.endswith(".safetensors")]
    assert after["files"][weights] == before["files"][weights]
    [line] = said
    found = re.fullmatch(
        r"([\d,]+) steps over ([\d,]+) tokens: about \d+:\d\d, with (\d+\.\d) GiB of memory at most "
        r"\(tried for 0:\d\d\)",
        line,
    )
    assert int(found[1]) >= 20
    assert int(found[2].replace(",", "")) == before["metrics"]["n_tokens"]
    assert 0 < float(found[3]) < 64


def test_a_short_training_says_nothing_first(here, tiny):
    trained(recipe(tiny, epochs=1))
    shutil.rmtree(RUN.adapter)
    run_train(recipe(tiny, epochs=1), RUN, None, say=lambda words: pytest.fail(words))


def test_a_stage_that_is_done_is_not_done_again_and_other_settings_train_anew(here, tiny, monkeypatch):
    first = trained(recipe(tiny))
    with RUN.held(), pytest.raises(InputError, match="another stage is at work in this folder"):
        run_train(recipe(tiny, epochs=1), RUN, None)
    run = Training.run
    monkeypatch.setattr(Training, "run", None)
    assert run_train(recipe(tiny), RUN, None) == first
    monkeypatch.setattr(Training, "run", run)
    second = run_train(recipe(tiny, epochs=1), RUN, None)
    assert second["inputs"] != first["inputs"]
    assert read_adapter(RUN.adapter).manifest["settings"]["train"]["epochs"] == 1


def test_a_killed_run_gives_the_adapter_of_one_that_was_not(here, tiny):
    whole = RunFolder(Path("runs/whole"))
    trained(recipe(tiny), whole)

    class Killed(BaseException):
        pass

    def kill(stage, done, total):
        if stage.startswith("training") and done == total - 1:
            raise Killed

    with pytest.raises(Killed):
        trained(recipe(tiny), RUN, kill)
    assert RUN.manifest("train") is None
    assert not RUN.adapter.exists()
    run_train(recipe(tiny), RUN, None)
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        assert (RUN.adapter / name).read_bytes() == (whole.adapter / name).read_bytes()

    def without_measures(folder):
        return {k: v for k, v in read_adapter(folder.adapter).manifest.items() if k != "metrics"}

    assert without_measures(RUN) == without_measures(whole)


def test_a_small_checkpoint_moves_a_run_to_another_folder_and_is_gone_when_it_is_done(
    here, tiny, monkeypatch
):
    monkeypatch.setattr(SmallCheckpoint, "every_s", -1.0)
    small = Path("small.safetensors")

    class Killed(BaseException):
        pass

    steps: list[int] = []

    def kill(stage, done, total):
        if stage.startswith("training") and done == total - 1:
            raise Killed

    def seen(stage, done, total):
        if stage.startswith("training"):
            steps.append(done)

    run_collect(recipe(tiny), RUN, None)
    run_select(recipe(tiny), RUN)
    with pytest.raises(Killed):
        run_train(recipe(tiny), RUN, None, kill, checkpoint=small)
    assert small.is_file()
    shutil.rmtree(RUN.training)
    manifest = run_train(recipe(tiny), RUN, None, seen, checkpoint=small)
    assert steps[0] == manifest["metrics"]["n_steps"] - 1
    assert not small.exists()
    assert read_adapter(RUN.adapter).name == "trial"


def test_two_runs_of_one_recipe_give_the_same_bytes_and_another_seed_others(here, tiny):
    folders = [RunFolder(Path(f"runs/{n}")) for n in range(3)]
    made = [recipe(tiny), recipe(tiny), recipe(tiny).model_copy(update={"seed": 1})]
    for one, folder in zip(made, folders, strict=True):
        trained(one, folder)
    weights = [(folder.adapter / "adapter_model.safetensors").read_bytes() for folder in folders]
    assert weights[0] == weights[1] != weights[2]


def test_a_student_of_single_answers_goes_through_all_stages_and_judges_as_fast(here, tiny):
    manifest = trained(recipe(tiny, method="score", contrast=0, constraints=0))
    values = read_adapter(RUN.adapter).manifest
    assert (values["templates"], values["letters"]) == (["score"], "123456789")
    assert manifest["metrics"]["letter_loss_chance"] == pytest.approx(math.log(2))
    assert manifest["loaded_difference"] < 1e-4
    settings = Settings(str(tiny), str(RUN.adapter), dtype="float32", device="cpu")
    method = JudgeOptions(settings=settings).load(silent, MemoryStore())
    assert (method.identity.method, method.identity.adapter) == ("score", "trial")
    ab, ba = method.read([(PAIRS[0], order) for order in Order])
    assert outcome_of(ab.choice, Order.AB) == outcome_of(ba.choice, Order.BA)
    wrong = JudgeOptions("direct", settings=settings)
    with pytest.raises(InputError, match=r"--method direct: the adapter trial has learned score\."):
        wrong.load(silent, MemoryStore())


def test_constructed_pairs_of_the_kept_ones_are_learned_too(here, tiny):
    topics = ("glaciers", "violins", "volcanoes", "chess")
    told = [
        pair_of(
            f"The {asked} of {topic} was described in 1875, and there are 40 books on it in Berlin.",
            f"Nobody has measured the {asked} of it in 12 years.",
            f"Tell me about the {asked} of {topic}, please",
            f"{topic}-{asked}",
        )
        for topic in topics
        for asked in ("history", "price", "danger", "origin")
    ]
    write_pairs("pairs.jsonl", told)
    made = recipe(tiny, constructed={"other_request": 0.5, "spoilt_fact": 0.25}, contrast=0, constraints=0)
    trained(made)
    values = read_adapter(RUN.adapter).manifest
    counts, n_kept = values["data"]["constructed"], len(values["data"]["train"])
    assert set(counts) == {"other_request", "spoilt_fact"}
    assert all(
        0 < counts[kind] <= round(share * n_kept) + 1 for kind, share in made.train.constructed.items()
    )
    assert values["metrics"]["n_rows"] == 2 * (n_kept + sum(counts.values()))
    assert values["settings"]["train"]["constructed"] == {"other_request": 0.5, "spoilt_fact": 0.25}


def test_votes_make_an_adapter_that_says_so_and_need_no_teacher(here, tiny):
    folder = RunFolder(Path("runs/trial-votes"))
    made = recipe(tiny, targets="votes", votes="votes.jsonl")
    run_train(made, folder, None)
    adapter = read_adapter(folder.adapter)
    assert (adapter.name, adapter.manifest["targets"]) == ("trial-votes", "votes")
    assert adapter.manifest["data"]["n_votes"] == 14
    assert not folder.ledger.exists()
    with pytest.raises(InputError, match="learned people's votes"):
        trained(recipe(tiny, start_from=str(folder.adapter)))


def test_other_votes_train_anew(here, tiny):
    made = recipe(tiny, targets="votes", votes="votes.jsonl")
    first = run_train(made, RUN, None)
    write_votes("votes.jsonl", [HumanVote(pair.id, "someone", Ballot.A) for pair in PAIRS])
    assert run_train(made, RUN, None)["inputs"]["lessons"] != first["inputs"]["lessons"]


def test_training_may_go_on_from_an_adapter_and_says_from_which(here, tiny):
    first = trained(recipe(tiny))
    start = read_adapter(RUN.adapter)
    other = RunFolder(Path("runs/second"))
    second = trained(recipe(tiny, start_from=str(RUN.adapter)), other)
    before = read_adapter(other.adapter).manifest["start_from"]
    assert (before["name"], before["hash"]) == ("trial", start.hash)
    assert {name: before[name] for name in ("settings", "data", "start_from")} == {
        name: start.manifest[name] for name in ("settings", "data", "start_from")
    }
    settings = read_adapter(other.adapter).manifest["settings"]
    assert not {"rank", "alpha", "layers", "modules"} & settings["train"].keys()
    assert start_of(recipe_of(settings, "again")).hash == start.hash
    assert recipe_to_json(recipe_of(settings, "again"))["select"] == settings["select"]
    assert {"rank", "alpha", "layers"} <= start.manifest["settings"]["train"].keys()
    assert second["metrics"]["before"] | {"step": 0} == first["metrics"]["after"] | {"step": 0}


def test_a_further_round_does_not_watch_what_the_first_one_was_trained_on(here, tiny):
    trained(recipe(tiny, select={"held_out": 0.0}))
    other = RunFolder(Path("runs/second"))
    second = trained(recipe(tiny, start_from=str(RUN.adapter)), other)
    data = read_adapter(other.adapter).manifest["data"]
    assert (data["held_out"], data["watched"]) == ([], 0)
    assert data["learned_before"] == 14 - len(data["train"]) > 0
    assert "LEARNED BEFORE" in second["warning"]
    assert second["metrics"]["before"] is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"rank": 5},
            r"train\.rank: 5, and .*runs/trial/adapter, from which training goes on, has 4\. Leave",
        ),
        ({"alpha": 7}, r"train\.alpha: 7, and .* has \d+\. Leave"),
        ({"layers": 1.0}, r"train\.layers: 1\.0, and .* has 1 of 2\. Leave"),
        ({"modules": ["q_proj"]}, r"train\.modules: \['q_proj'\], and .* has \['down_proj', "),
    ],
)
def test_a_recipe_that_says_another_shape_than_its_start_has_is_refused(here, tiny, changes, words):
    trained(recipe(tiny))
    with pytest.raises(InputError, match=words):
        start_of(recipe(tiny, start_from=str(RUN.adapter), **changes))
    assert start_of(recipe(tiny, start_from=str(RUN.adapter))).name == "trial"


def test_dropout_is_that_of_the_training_and_not_of_its_start(here, tiny):
    trained(recipe(tiny))
    second = RunFolder(Path("runs/second"))
    trained(recipe(tiny, start_from=str(RUN.adapter), dropout=0.25), second)
    config = json.loads((second.adapter / "adapter_config.json").read_text("utf-8"))
    assert config["lora_dropout"] == 0.25


def test_an_adapter_of_another_base_model_is_no_start(here, tiny, tmp_path):
    wide = make_model(tmp_path / "wide", VERDICT_MERGES, hidden_size=128)
    adapter = make_adapter(wide, tmp_path / "of-wide")
    with pytest.raises(ModelError, match="made for the base model wide"):
        trained(recipe(tiny, start_from=str(adapter)))


def test_an_adapter_that_does_not_answer_as_the_student_did_is_not_kept(here, tiny, monkeypatch):
    choose = EmbeddedBackend.choose

    def other(self, prompts, choices):
        return [
            ChoiceProbabilities(one.probabilities[::-1], one.tokens_in, one.tokens_out)
            for one in choose(self, prompts, choices)
        ]

    monkeypatch.setattr(EmbeddedBackend, "choose", other)
    with pytest.raises(ModelError, match="does not answer as the student did"):
        trained(recipe(tiny))
    assert RUN.manifest("train") is None
    assert not RUN.adapter.exists()


def test_training_needs_a_selection_of_this_recipe_and_something_to_learn(here, tiny):
    with pytest.raises(InputError, match="Run `judge distill select` first"):
        run_train(recipe(tiny), RUN, None)
    run_collect(recipe(tiny), RUN, None)
    run_select(recipe(tiny), RUN)
    with pytest.raises(InputError, match="select was done with other settings"):
        run_train(recipe(tiny, select={"margin": 0.5}), RUN, None)
    everything = recipe(tiny, select={"held_out": 0.999})
    run_select(everything, RUN)
    with pytest.raises(InputError, match="no pair is left to train on"):
        run_train(everything, RUN, None)


def test_soft_targets_and_ties_and_symmetry_go_through_all_stages(here, tiny):
    made = recipe(tiny, "first", select={"filter": "none"}, symmetry=1.0)
    assert trained(made)["metrics"]["n_rows"] > 0
    assert trained(recipe(tiny, targets="soft", start_from=""))["metrics"]["letter_loss_least"] == 0.0
    with_ties = recipe_to_json(recipe(tiny))
    with_ties["collect"]["teacher"]["ties"] = True
    with_ties["select"]["filter"] = "none"
    trained(recipe_of(with_ties, "trial.yaml"))
    assert read_adapter(RUN.adapter).manifest["letters"] == "ABC"


def test_without_held_out_prompts_nothing_is_looked_at_and_the_run_ends_all_the_same(here, tiny):
    metrics = trained(recipe(tiny, select={"held_out": 0.0}))["metrics"]
    assert (metrics["before"], metrics["after"]) == (None, None)
    assert metrics["best_step"] == metrics["n_steps"] == metrics["n_steps_planned"]


@pytest.mark.parametrize(
    ("loss", "least", "is_warned"), [(0.69, 0.0, True), (0.6, 0.0, False), (0.69, 0.68, False)]
)
def test_a_loss_that_is_still_at_chance_is_warned_of(loss, least, is_warned):
    metrics = {"letter_loss": loss, "letter_loss_chance": 0.6931, "letter_loss_least": least}
    assert chance_warning(metrics).startswith("STILL AT CHANCE") is is_warned


def test_the_command_line_does_it_all_and_says_what_came_of_it(here, tiny):
    Path("trial.yaml").write_text(json.dumps(recipe_to_json(recipe(tiny))), encoding="utf-8")

    def judge(*arguments: str) -> str:
        done = CliRunner().invoke(app, ["distill", *arguments])
        if isinstance(done.exception, JudgeError):
            return str(done.exception)
        assert done.exit_code == 0, (done.output, done.exception)
        return done.stdout

    assert "Run `judge distill select` first" in judge("train", "--config", "trial.yaml")
    said = judge("all", "--config", "trial.yaml", "--limit", "12")
    for part in (
        "Traces: ",
        "Selection: ",
        "Letter's loss",
        "Held out, before",
        "tokens, ",
        "Adapter: runs/trial/adapter",
    ):
        assert part in said
    again = judge("all", "--config", "trial.yaml", "--limit", "12")
    assert again == said
    voted = judge("all", "--config", "trial.yaml", "--targets", "votes", "votes.jsonl")
    assert "Adapter: runs/trial-votes/adapter" in voted
    assert "Traces" not in voted
    wrong = judge("train", "--config", "trial.yaml", "--targets", "vote", "votes.jsonl")
    assert "train.targets" in wrong

"""Rankers: readings kept as rows, a base model that learns to tell them apart, and votes by what it says."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from models import VERDICT_MERGES, make_adapter, make_model
from pairs import pair_of
from typer.testing import CliRunner

from distill import stages
from distill.clean import HeldOut
from distill.folder import RunFolder
from distill.lessons import reply_lessons
from distill.ranker import RankingStudent, parts_of, run_rank, trace_rows, train_ranker
from distill.recipe import recipe_of, recipe_to_json
from distill.rows import Row, read_rows, write_rows
from distill.selection import Part
from distill.stages import run_collect, run_select
from distill.student import Lora
from judge.backends import Completion, Sampling, Settings
from judge.backends.embedded import EmbeddedBackend
from judge.backends.ranker import Ranker
from judge.backends.scripted import ScriptedBackend
from judge.cli.main import app
from judge.errors import InputError, ModelError
from judge.io.pairs import write_pairs
from judge.methods import MethodSettings, load_method
from judge.methods.traced import NO_SCORES, NO_TEXT, TIED, Traced, traced
from judge.methods.voting import samples_of, voted
from judge.methods.weighing import weighed_of
from judge.models.adapters import HEAD, read_adapter
from judge.options import judge_options
from judge.prompts import plain
from judge.prompts.working import parse_working
from judge.records import Choice, Judgment, Order, Step, Unparsed

SETTINGS = {
    "epochs": 30,
    "learning_rate": 0.003,
    "layers": 1.0,
    "batch_tokens": 256,
    "patience": 0,
    "evaluations": 2,
    "dtype": "float32",
    "device": "cpu",
}
RIGHT = [Row.of(f"What is {n}+{n}?", f"It is {2 * n}, yes") for n in range(8)]
WRONG = [Row.of(f"What is {n}+{n}?", f"It is {n}, no") for n in range(8)]


# --- a reading as a trace --------------------------------------------------------------------------------


def solved(first: float, second: float, name: str = "Form: is short") -> Step:
    return Step(name, f"Scores: A [[{first}]], B [[{second}]]\nReason: So it is. And", 1, 1, (first, second))


def test_a_chain_of_thought_is_the_prompt_that_was_asked_and_the_reply_to_it():
    found = traced(pair_of(), Order.AB, Judgment(Choice.FIRST, None, "Hm. [[A]]", 1, 1), "cot", False)
    assert isinstance(found, Traced)
    assert found.reply == "Hm. [[A]]"
    assert [one.role for one in found.messages] == ["system", "user"]
    assert "First explain" in found.messages[1].content
    assert [role for role, _ in found.prompt.messages] == ["system", "user"]


def test_bsm_in_text_is_the_working_that_its_scores_make_and_dual_is_asked_for_it():
    steps = (Step("branch", "1. Form", 1, 1), solved(4.0, 2.0), solved(3.0, 3.0))
    found = traced(
        pair_of(), Order.BA, Judgment(Choice.FIRST, None, "7 : 5", 1, 1, steps=steps), "bsm-text", False
    )
    assert isinstance(found, Traced)
    working = parse_working(found.reply, True, ("A", "B"))
    assert [one.scores for one in working.weighed] == [(4, 2), (3, 3)]
    assert working.letter == "A"
    assert "write Plan" in found.messages[1].content


@pytest.mark.parametrize(
    ("method", "reading", "why"),
    [
        ("cot", Judgment(Choice.FIRST, None, "", 1, 1), NO_TEXT),
        ("dual-slow", Judgment(Choice.FIRST, None, "", 1, 1), NO_TEXT),
        ("bsm-text", Judgment(Choice.FIRST, None, "7 : 5", 1, 1), NO_SCORES),
        ("bsm-text", Judgment(Choice.TIE, None, "3 : 3", 1, 1, steps=(solved(3.0, 3.0),)), TIED),
    ],
)
def test_a_reading_without_its_text_or_without_a_letter_is_no_trace(method, reading, why):
    assert traced(pair_of(), Order.AB, reading, method, False).reason == why


def test_the_samples_of_a_vote_come_back_with_their_texts_and_steps():
    inner = (solved(4.0, 2.0),)
    samples = [
        Judgment(Choice.FIRST, None, "4 : 2", 3, 2, steps=inner),
        Unparsed("no verdict", "hm", 5, 1),
        Judgment(Choice.TIE, None, "3 : 3", 3, 2),
    ]
    vote = voted(Judgment(Choice.FIRST, None, "1 of 3", 0, 0), samples)
    assert samples_of(vote) == samples
    assert samples_of(samples[0]) == [samples[0]]


# --- what a filter drops is kept -------------------------------------------------------------------------

PAIRS = [pair_of(f"a long answer {n}", "short", f"Question {n}?", f"p{n}") for n in range(6)]


class Sampled(ScriptedBackend):
    """Thinks of the longer answer; every fifth chain of thought names the first one whatever it is."""

    def __init__(self) -> None:
        super().__init__(lambda prompt, index: "", "scripted-sampled")
        self.n = 0

    def complete(self, prompts, sampling):
        replies = []
        for prompt in prompts:
            words = "".join(span.text for _, spans in prompt.messages for span in spans)
            longer = "A" if words.index("long answer") < words.index("short") else "B"
            letter = "A" if self.n % 5 == 4 else longer
            replies.append(Completion(f"Thought {self.n}. [[{letter}]]", 10, 5, True))
            self.n += 1
        return replies


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(stages, "held_out_texts", lambda folder, unchecked: HeldOut({}, {}))
    write_pairs("pairs.jsonl", PAIRS)
    return tmp_path


def recipe(method="cot", **changes):
    values = {
        "name": "trial",
        "collect": {
            "pairs": {"source": "file", "path": "pairs.jsonl"},
            "teacher": {"backend": "scripted:longer", "method": method, "samples": 3, "temperature": 0.7},
        },
        "select": {"filter": "majority", "held_out": 0.0},
    }
    return recipe_of({**values, **changes}, "trial.yaml")


RUN = RunFolder(Path("runs/trial"))


def collected(monkeypatch, **changes):
    backend = Sampled()
    monkeypatch.setattr(ScriptedBackend, "from_settings", classmethod(lambda cls, *_: backend))
    made = recipe(**changes)
    run_collect(made, RUN, None)
    return made


def test_every_sample_is_a_row_right_or_wrong_by_what_the_majority_names(here, monkeypatch):
    made = collected(monkeypatch)
    manifest = run_select(made, RUN, keep_dropped=True)
    counts = {side: sum(manifest["readings"][side].values()) for side in ("right", "wrong", "left_out")}
    assert counts["right"] + counts["wrong"] + counts["left_out"] == 6 * 2 * 3
    assert counts["wrong"] > 0
    for side, path in (("right", RUN.right), ("wrong", RUN.wrong)):
        lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        assert len(lines) == len(read_rows(path)) == counts[side]
        for line in lines:
            own = {"prompt", "reply", "weight", "group", "pair_id", "order", "reason"}
            assert set(line) == (own if side == "right" else own | {"sign"})
            shown = line["prompt"][-1]["content"]
            longer = "A" if shown.index("long answer") < shown.index("short") else "B"
            assert line["reply"].endswith(f"[[{longer}]]") is (side == "right")


def test_both_orders_of_a_pair_are_held_out_together_whatever_the_selection_held_out(here, monkeypatch):
    write_pairs(
        "pairs.jsonl", [pair_of(f"a long answer {n}", "short", f"Question {n}?", f"p{n}") for n in range(61)]
    )
    made = collected(monkeypatch, select={"filter": "majority", "held_out": 0.3})
    run_select(made, RUN, keep_dropped=True)
    right, wrong = read_rows(RUN.right), read_rows(RUN.wrong)
    assert {row.sign for row in wrong} == {-1}
    parts = parts_of(made, RUN, right, wrong)
    trained, watched = ({row.group for row, _ in parts[part]} for part in (Part.TRAIN, Part.HELD_OUT))
    assert watched, "of the prompts that the selection trains on some are held out here"
    assert not trained & watched
    lessons = reply_lessons(
        recipe_of(
            {
                "name": "rows",
                "select": {"held_out": 0.3},
                "train": {"method": "reply", "rows": str(RUN.right)},
            },
            "rows.yaml",
        )
    )
    assert lessons.watched
    assert not {row.group for row in lessons.trained} & {row.group for row in lessons.watched}


def test_a_selection_with_its_readings_is_done_also_for_whoever_wants_none(here, monkeypatch):
    made = collected(monkeypatch)
    first = run_select(made, RUN)
    assert not RUN.right.exists()
    both = run_select(made, RUN, keep_dropped=True)
    assert both["files"]["selection.jsonl.gz"] == first["files"]["selection.jsonl.gz"]
    monkeypatch.setattr(stages, "write_selection", None)
    assert run_select(made, RUN) == run_select(made, RUN, keep_dropped=True) == both


def test_a_pair_that_the_filter_drops_is_labelled_by_the_mean_of_both_orders(here, monkeypatch):
    strict = {"filter": "majority", "held_out": 0.0, "margin": 1.0}  # which keeps where no sample differs
    manifest = run_select(collected(monkeypatch, select=strict), RUN, keep_dropped=True)
    reasons = set(manifest["readings"]["right"]) | set(manifest["readings"]["wrong"])
    assert "the margin is too small" in reasons
    assert all(name != "its pair is kept" for name in manifest["readings"]["wrong"])


def test_a_teacher_that_says_nothing_of_how_it_judges_has_no_readings_to_keep(here):
    with pytest.raises(
        InputError, match=r"--keep-dropped: the teacher's method is bsm, .* one of cot, bsm-text"
    ):
        run_select(recipe("bsm"), RUN, keep_dropped=True)
    signals = {"pairs": {"source": "file", "path": "pairs.jsonl"}, "teacher": {"signals": {"yes": 1.0}}}
    with pytest.raises(
        InputError, match=r"--keep-dropped: the teacher's method is a sum, whose readings say"
    ):
        run_select(recipe(collect=signals, select={"filter": "mean"}), RUN, keep_dropped=True)


# --- a ranker learns -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return make_model(tmp_path_factory.mktemp("models") / "tiny", VERDICT_MERGES)


@pytest.fixture(scope="module")
def trained(tiny, tmp_path_factory):
    folder = tmp_path_factory.mktemp("ranker")
    manifest = train_ranker(RIGHT, WRONG, folder, base_model=str(tiny), held_out=0.0, **SETTINGS)
    return folder, manifest


def settings_of(tiny) -> Settings:
    return Settings(str(tiny), dtype="float32", device="cpu", max_prompt_tokens=2048)


@pytest.mark.slow
def test_a_ranker_tells_right_traces_from_wrong_ones_and_scores_as_it_was_trained(tiny, trained):
    folder, manifest = trained
    assert manifest["metrics"]["squared_error"] < 0.1  # 0.25 says nothing
    assert manifest["loaded_difference"] < 1e-4
    ranker = Ranker(str(folder / "ranker"), settings_of(tiny))
    right, wrong = (ranker.scores([(row.prompt, row.reply) for row in some]) for some in (RIGHT, WRONG))
    assert all(0 <= score <= 1 for score in (*right, *wrong))
    assert sum(one > 0.5 for one in right) >= 7
    assert sum(one < 0.5 for one in wrong) >= 7
    assert ranker.scores([]) == []


@pytest.mark.slow
def test_a_score_is_the_heads_value_of_the_last_hidden_state_at_the_end_of_the_turn(tiny, trained):
    torch = pytest.importorskip("torch")
    import peft
    from safetensors.torch import load_file
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = trained[0] / "ranker"
    model = peft.PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(tiny), folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(tiny)
    row = RIGHT[3]
    text = tokenizer.apply_chat_template(
        [{"role": "user", "content": row.messages[0].content}], tokenize=False, add_generation_prompt=True
    )
    ids = tokenizer(f"{text}{row.reply}<|im_end|>", return_tensors="pt").input_ids
    with torch.no_grad():
        state = model(ids, output_hidden_states=True).hidden_states[-1][0, -1]
    head = load_file(folder / HEAD)
    expected = float((state / state.norm()) @ head["weight"] + head["bias"])
    [score] = Ranker(str(folder), settings_of(tiny)).scores([(row.prompt, row.reply)])
    assert score == pytest.approx(min(1.0, max(0.0, expected)), abs=1e-4)


@pytest.mark.slow
def test_a_traces_row_ends_with_its_turn_and_is_learned_at_its_last_token(tiny):
    student = RankingStudent(str(tiny), Lora(), 2048, "cpu", "float32")
    [row, other] = trace_rows([(RIGHT[0], True), (WRONG[0], False)], student)
    assert row.ids[-1] == student.end_of_turn
    assert row.first_place == len(row.ids) - 1
    assert (row.targets, other.targets, row.is_right, other.is_right) == ((1,), (0,), True, False)


@pytest.mark.slow
def test_a_killed_ranker_ends_with_the_weights_of_a_whole_one(tiny, tmp_path):
    arguments = {"base_model": str(tiny), "held_out": 0.25, **SETTINGS, "epochs": 3, "evaluations": 6}

    class Killed(BaseException):
        pass

    def kill(stage, done, total):
        if stage.startswith("training") and done == total - 1:
            raise Killed

    with pytest.raises(Killed):
        train_ranker(RIGHT, WRONG, tmp_path / "killed", progress=kill, **arguments)
    assert not (tmp_path / "killed" / "ranker").exists()
    train_ranker(RIGHT, WRONG, tmp_path / "killed", **arguments)
    whole = train_ranker(RIGHT, WRONG, tmp_path / "whole", **arguments)
    for name in (HEAD, "adapter_model.safetensors"):
        one, other = ((tmp_path / each / "ranker" / name).read_bytes() for each in ("killed", "whole"))
        assert one == other
    assert train_ranker(RIGHT, WRONG, tmp_path / "whole", **arguments) == whole
    assert not (tmp_path / "whole" / "ranking").exists()


def test_a_refused_call_leaves_the_readings_of_the_folder_as_they_were(tiny, tmp_path):
    run = RunFolder(tmp_path)
    with run.held():
        write_rows(run.right, RIGHT)
        before = run.right.read_bytes()
        with pytest.raises(InputError, match="another stage is at work in this folder"):
            train_ranker(WRONG, RIGHT, tmp_path, base_model=str(tiny), **SETTINGS)
    assert run.right.read_bytes() == before


@pytest.mark.slow
def test_a_ranker_needs_right_and_wrong_rows_and_readings_that_were_kept(tiny, tmp_path, here, monkeypatch):
    with pytest.raises(InputError, match=r"wrong\.jsonl: no row of 0 is left to train on"):
        train_ranker(RIGHT, [], tmp_path / "none", base_model=str(tiny), **SETTINGS)
    made = collected(monkeypatch)
    run_select(made, RUN)
    with pytest.raises(
        InputError, match=r"kept no readings. Run `judge distill select --keep-dropped` first"
    ):
        run_rank(made, RUN)


@pytest.mark.slow
def test_the_command_line_keeps_readings_trains_a_ranker_and_shows_it(tiny, here, monkeypatch):
    backend = Sampled()
    monkeypatch.setattr(ScriptedBackend, "from_settings", classmethod(lambda cls, *_: backend))
    train = {"base_model": str(tiny), **SETTINGS, "epochs": 2}
    made = recipe(train=train)
    Path("trial.yaml").write_text(json.dumps(recipe_to_json(made)), encoding="utf-8")

    def run(*arguments):
        done = CliRunner().invoke(app, [*arguments])
        assert done.exit_code == 0, done.output
        return done.output

    run("distill", "collect", "--config", "trial.yaml")
    said = run("distill", "select", "--config", "trial.yaml", "--keep-dropped")
    assert "Right readings" in said
    assert "Readings: runs/trial/right.jsonl and runs/trial/wrong.jsonl" in said
    assert "Ranker: runs/trial/ranker" in run("distill", "ranker", "--config", "trial.yaml")
    shown = run("adapters", "show", "runs/trial/ranker")
    assert "it ranks what a judge wrote" in " ".join(shown.split())
    assert "trial-ranker" in run("adapters", "list")


@pytest.mark.slow
def test_a_ranker_is_no_judge_and_a_judge_no_ranker(tiny, trained, tmp_path):
    folder = str(trained[0] / "ranker")
    with pytest.raises(
        InputError, match=r"has learned to rank traces, so it is no judge\. Give it as --ranker"
    ):
        judge_options(adapter=folder, base_model=str(tiny)).asked_by  # noqa: B018
    judge = make_adapter(tiny, tmp_path / "judge")
    with pytest.raises(
        InputError, match=r"the adapter judge is no ranker\. Make one with `judge distill ranker`"
    ):
        Ranker(str(judge), settings_of(tiny))
    other = make_model(tmp_path / "other", VERDICT_MERGES, hidden_size=32)
    with pytest.raises(ModelError, match="made for the base model tiny"):
        Ranker(folder, settings_of(other))
    (trained[0] / "copy").mkdir(exist_ok=True)
    for file in (trained[0] / "ranker").iterdir():
        (trained[0] / "copy" / file.name).write_bytes(file.read_bytes())
    (trained[0] / "copy" / HEAD).unlink()
    with pytest.raises(ModelError, match=r"no head\.safetensors"):
        read_adapter(trained[0] / "copy")


# --- votes -----------------------------------------------------------------------------------------------


class InTurn(ScriptedBackend):
    """Gives the replies of a list, one a call of `complete`."""

    def __init__(self, replies) -> None:
        super().__init__(lambda prompt, index: "", "scripted-in-turn")
        self.replies = iter(replies)

    def complete(self, prompts, sampling):
        reply = next(self.replies)
        return [Completion(reply, 10, 5, True) for _ in prompts]


class Trusting:
    """A ranker that believes whoever says so; what is too long for it has no score."""

    name = "trusting"

    def __init__(self) -> None:
        self.asked = []

    def scores(self, traces):
        self.asked += traces
        return [
            Unparsed("the prompt is too long", raw="") if "long" in reply else float("surely" in reply)
            for _, reply in traces
        ]


def ranked_vote(replies, ranker=None):
    settings = MethodSettings(temperature=0.7)
    ranker = ranker or Trusting()
    method = load_method("cot", InTurn(replies), settings, len(replies), "ranked", ranker)
    [reading] = method.read([(pair_of(), Order.AB)])
    return reading


def test_a_sample_counts_one_and_its_score():
    reading = ranked_vote(["hm [[A]]", "hm [[A]]", "surely [[B]]", "[[B]]"])
    assert reading.choice is Choice.SECOND
    assert reading.probabilities == {Choice.FIRST: 2 / 5, Choice.SECOND: 3 / 5}
    assert reading.raw == "weights 1.000 1.000 2.000 1.000"
    assert (reading.tokens_in, reading.tokens_out) == (40, 20)
    assert [step.name for step in reading.steps][2] == "sample 3: SECOND"


def test_a_majority_may_still_win_and_equal_weights_are_no_majority():
    assert ranked_vote(["[[A]]", "[[A]]", "[[A]]", "surely [[B]]"]).choice is Choice.FIRST
    reading = ranked_vote(["[[A]]", "[[A]]", "surely [[B]]"])
    assert isinstance(reading, Unparsed)
    assert reading.reason == "no majority: two choices weigh the same"


def test_samples_without_a_score_weigh_nothing():
    reading = ranked_vote(["hm", "long [[A]]", "[[B]]"])
    assert reading.choice is Choice.SECOND
    assert reading.raw == "weights - - 1.000"
    reading = ranked_vote(["hm", "long [[A]]"])
    assert isinstance(reading, Unparsed)
    assert reading.reason.startswith("none of 2 samples can be weighed: no verdict")


def test_the_ranker_reads_the_prompt_and_the_whole_reply():
    ranker = Trusting()
    ranked_vote(["one [[A]]", "two [[B]]", "three [[A]]"], ranker)
    assert [reply for _, reply in ranker.asked] == ["one [[A]]", "two [[B]]", "three [[A]]"]
    assert all("First explain" in prompt.messages[-1][1][0].text for prompt, _ in ranker.asked)


def test_the_sums_are_those_of_the_choices():
    samples = [Judgment(choice, None, "", 1, 1) for choice in (Choice.TIE, Choice.FIRST, Choice.TIE)]
    reading = weighed_of(samples, [0.25, 0.6, 0.25])
    assert reading.choice is Choice.FIRST
    assert reading.probabilities[Choice.TIE] == pytest.approx(0.5 / 1.1)
    assert sum(reading.probabilities.values()) == pytest.approx(1.0)


def test_another_ranker_and_another_vote_are_other_judges():
    settings = MethodSettings(temperature=0.7)
    other = Trusting()
    other.name = "doubting"
    backend = ScriptedBackend(lambda prompt, index: "[[A]]")
    made = [load_method("cot", backend, settings, 3, "ranked", ranker) for ranker in (Trusting(), other)]
    made += [load_method("cot", backend, settings, 3, vote) for vote in ("majority", "usc")]
    assert len({one.identity.fingerprint for one in made}) == 4
    assert made[0].identity.decoding.startswith("ranked of 3 by trusting, temperature 0.7")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "--vote ranked: no ranker is named. Give --ranker FOLDER."),
        ({"samples": 1}, "--vote ranked: it weighs several samples. Give --samples 8 --temperature 0.7."),
        (
            {"method": "bsm"},
            "--vote ranked: method bsm does not write how it came to its verdict. Take one of cot",
        ),
        (
            {"vote": "probability"},
            "--vote probability: the backend scripted does not say how likely a text is",
        ),
        ({"temperature": 0.0}, "--samples 3: at temperature 0 all are alike"),
    ],
)
def test_what_a_weighed_vote_lacks_is_one_clear_line(given, words):
    values = {"method": "cot", "samples": 3, "vote": "ranked", "temperature": 0.7} | given
    settings = MethodSettings(temperature=values["temperature"])
    with pytest.raises(InputError, match=f"^{words}"):
        load_method(
            values["method"], ScriptedBackend(lambda *_: ""), settings, values["samples"], values["vote"]
        )


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"vote": "ranked", "backend": "server:http://x"}, "--vote ranked: the ranker reads traces in this"),
        ({"ranker": "runs/x/ranker"}, "--ranker runs/x/ranker: only --vote ranked has a ranker."),
    ],
)
def test_a_ranker_is_asked_in_this_process_and_by_its_vote_alone(given, words):
    options = judge_options(method="cot", samples=3, temperature=0.7, **given)
    with pytest.raises(InputError, match=f"^{words}"):
        options._ranker(lambda *_: None)


@pytest.mark.slow
def test_a_judge_with_a_ranker_votes_and_names_it(tiny, trained):
    options = judge_options(
        method="cot",
        samples=2,
        vote="ranked",
        temperature=0.7,
        max_new_tokens=8,
        base_model=str(tiny),
        ranker=str(trained[0] / "ranker"),
        dtype="float32",
        device="cpu",
    )
    method = options.load(lambda *_: None, None)
    assert "ranked of 2 by rows-ranker" in method.identity.decoding
    [reading] = method.read([(pair_of(), Order.AB)])  # what a random model says can hardly be read
    assert isinstance(reading, Unparsed)
    assert reading.reason.startswith("none of 2 samples can be weighed")


@pytest.mark.slow
def test_a_teacher_whose_samples_a_ranker_weighs_says_so_in_its_traces(tiny, trained, here):
    teacher = {
        "method": "cot",
        "samples": 2,
        "temperature": 0.7,
        "vote": "ranked",
        "max_new_tokens": 8,
        "base_model": str(tiny),
        "dtype": "float32",
        "device": "cpu",
    }
    folder = trained[0] / "ranker"
    values = {"name": "trial", "collect": {"pairs": {"source": "file", "path": "pairs.jsonl", "limit": 2}}}
    values["collect"]["teacher"] = {**teacher, "ranker": str(folder)}
    manifest = run_collect(recipe_of(values, "trial.yaml"), RUN, None)
    assert manifest["n_pairs"] == 2
    decoding = manifest["teacher"]["decoding"]
    assert f"ranked of 2 by rows-ranker {read_adapter(folder).hash[:16]}" in decoding


@pytest.mark.slow
def test_a_probability_is_that_of_a_token_of_the_reply_in_the_mean(tiny):
    from judge.methods.weighing import likely

    backend = EmbeddedBackend(settings_of(tiny))
    asked = [(plain("Say yes!"), "yes"), (plain("Say yes!"), "no, never")]
    totals = backend.log_likelihoods(asked, 100)
    expected = [math.exp(total / n) for total, n in totals]
    assert likely(backend, asked) == pytest.approx(expected)
    greedy = backend.complete([plain("Say yes!")], Sampling(4))[0].text
    [best, other] = likely(backend, [(plain("Say yes!"), greedy), (plain("Say yes!"), "zzzz")])
    assert best > other

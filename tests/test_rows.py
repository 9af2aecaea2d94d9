"""Rows: files that are read whole or refused line by line, and a student that replies as they say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from models import VERDICT_MERGES, make_model, make_tokenizer
from typer.testing import CliRunner

from distill.examples import Asked, batches_of, reply_rows
from distill.folder import RunFolder
from distill.history import History
from distill.lessons import lessons_of, reply_lessons
from distill.recipe import recipe_of, recipe_to_json
from distill.replying import ReplyTraining
from distill.rows import RIGHT, WRONG, Row, drawn, read_rows, write_rows
from distill.rowstage import train_rows
from distill.student import Lora, Student
from distill.trainstage import format_metrics, run_train, unlearned_warning
from judge.backends import Sampling, Settings, load_backend
from judge.backends.tokens import PromptEncoder
from judge.cli.main import app
from judge.errors import BadLines, InputError, PromptTooLong
from judge.models.adapters import Adapter, read_adapter
from judge.options import JudgeOptions
from judge.prompts import plain
from judge.records import Message

TALK = (
    Message("system", "Be brief."),
    Message("user", "Hi!"),
    Message("assistant", "Yes?"),
    Message("user", "2+2?"),
)
ROWS = [Row.of(f"Say {word}!", word) for word in ("yes", "no", "four", "maybe so")]
SETTINGS = {
    "epochs": 60,
    "learning_rate": 0.01,
    "layers": 1.0,
    "accumulate": 1,
    "batch_tokens": 64,
    "patience": 0,
    "evaluations": 2,
    "dtype": "float32",
    "device": "cpu",
}


# --- values and files ------------------------------------------------------------------------------------


def test_rows_are_read_back_as_they_were_written(tmp_path):
    rows = [Row.of("2+2?", "4"), Row(TALK, "4", 2.5), Row.of("2+2?", "4", 0.5)]
    write_rows(tmp_path / "rows.jsonl", rows)
    assert read_rows(tmp_path / "rows.jsonl") == rows
    first = json.loads((tmp_path / "rows.jsonl").read_text("utf-8").splitlines()[0])
    assert first == {"prompt": "2+2?", "reply": "4", "weight": 1.0}


def test_a_weight_that_is_not_there_is_one(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"prompt": "2+2?", "reply": "4"}\n', encoding="utf-8")
    assert read_rows(path) == [Row.of("2+2?", "4")]


def test_every_wrong_line_is_named_with_what_is_right(tmp_path):
    lines = {
        "missing reply (found: prompt). Every row needs prompt and reply.": {"prompt": "a"},
        "the unknown key 'wieght'. A row has prompt, reply, weight, sign, group.": {
            "prompt": "a",
            "reply": "b",
            "wieght": 2,
        },
        "weight is 0. It must be a number from 1e-30 to 1e+30.": {"prompt": "a", "reply": "b", "weight": 0},
        "weight is True. It must be a number from 1e-30 to 1e+30.": {
            "prompt": "a",
            "reply": "b",
            "weight": True,
        },
        "weight is " + "1" + 56 * "0" + ".... It must be a number from 1e-30 to 1e+30.": {
            "prompt": "a",
            "reply": "b",
            "weight": 10**400,
        },
        "reply is empty. It must be what is to be learned.": {"prompt": "a", "reply": ""},
        "reply is a number. It must be one text.": {"prompt": "a", "reply": 4},
        "group is a number. It must be one text.": {"prompt": "a", "reply": "b", "group": 4},
        "prompt is a number. It must be text or a list of messages.": {"prompt": 4, "reply": "b"},
        "prompt does not end with a user's message. The reply follows the user's last one.": {
            "prompt": [{"role": "assistant", "content": "Hi"}],
            "reply": "b",
        },
        "prompt has a system message that is not the first. Only the first may be one.": {
            "prompt": [{"role": "user", "content": "Hi"}, {"role": "system", "content": "x"}],
            "reply": "b",
        },
    }
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in lines.values()), encoding="utf-8")
    with pytest.raises(BadLines) as caught:
        read_rows(path)
    assert caught.value.problems == tuple(
        f"{path}:{number}: {problem}" for number, problem in enumerate(lines, start=1)
    )


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"messages": ()}, "not the user's"),
        ({"messages": TALK[:3]}, "not the user's"),
        ({"reply": ""}, "the reply is ''"),
        ({"reply": None}, "the reply is None"),
        ({"weight": 0.0}, "the weight is 0.0, not a number from 1e-30 to"),
        ({"weight": 1e-50}, "not a number from 1e-30 to"),
        ({"weight": 10**400}, "not a number from 1e-30 to"),
        ({"weight": "2"}, "the weight is '2', not a number"),
        ({"weight": float("nan")}, "the weight is nan"),
    ],
)
def test_a_row_that_teaches_nothing_cannot_be_made(wrong, problem):
    with pytest.raises(ValueError, match=problem):
        Row(**{"messages": TALK, "reply": "4"} | wrong)


def test_a_prompt_is_known_by_its_words_and_a_row_by_its_reply_too():
    one, same = Row.of("What  is\n2+2?", "4"), Row.of("what is 2+2?", "four")
    assert one.question == same.question == "what is 2+2?"
    assert len({one.content_hash, same.content_hash, Row.of("What  is\n2+2?", "4", 2).content_hash}) == 2


def recipe(path: Path | str, held_out: float = 0.0, **train):
    values = {
        "name": "rows",
        "select": {"held_out": held_out},
        "train": {"method": "reply", "rows": str(path), **SETTINGS, **train},
    }
    return recipe_of(values, "rows.yaml")


def test_rows_of_one_prompt_are_on_one_side_whatever_is_held_out(tmp_path):
    path = tmp_path / "rows.jsonl"
    write_rows(path, [Row.of(f"Question {n}?", f"{i}") for n in range(40) for i in range(2)])
    lessons = reply_lessons(recipe(path, held_out=0.3))
    sides = [{row.question for row in some} for some in (lessons.trained, lessons.watched)]
    assert len(sides[0] | sides[1]) == 40
    assert not sides[0] & sides[1]
    assert 4 <= len(sides[1]) <= 20
    assert lessons.data["watched"] == lessons.n_watched == len(lessons.watched)
    with pytest.raises(InputError, match=r"no row of 80 is left to train on"):
        reply_lessons(recipe(path, held_out=0.999))


def test_held_out_rows_that_an_earlier_round_learned_are_not_looked_at(tmp_path):
    path = tmp_path / "rows.jsonl"
    write_rows(path, [Row.of(f"Question {n}?", "yes") for n in range(40)])
    made = recipe(path, held_out=0.3)
    first, *others = reply_lessons(made).data["held_out"]
    start = Adapter("round", tmp_path, "0" * 64, {"data": {"train": [first]}})
    lessons = reply_lessons(made, start=start)
    assert lessons.data["held_out"] == others
    assert {row.content_hash for row in lessons.watched} == set(others)
    assert lessons.data["learned_before"] == 1
    assert lessons.warning.startswith("LEARNED BEFORE: 1 held-out rows are left out")


def test_rows_of_one_group_are_on_one_side_and_a_pair_is_one_where_none_is_named(tmp_path):
    path = tmp_path / "rows.jsonl"
    grouped = [Row.of(f"{order} of {n}", "yes", group=f"g{n}") for n in range(40) for order in ("AB", "BA")]
    write_rows(path, grouped)
    assert read_rows(path) == grouped
    lines = [{"prompt": row.messages[0].content, "reply": "yes", "pair_id": row.group} for row in grouped]
    path.with_name("old.jsonl").write_text("".join(f"{json.dumps(one)}\n" for one in lines), encoding="utf-8")
    for file in (path, path.with_name("old.jsonl")):
        lessons = reply_lessons(recipe(file, held_out=0.3))
        sides = [{row.group for row in some} for some in (lessons.trained, lessons.watched)]
        assert len(sides[0] | sides[1]) == 40
        assert not sides[0] & sides[1]


def test_rows_may_lie_in_the_folder_of_local_copies_that_is_named(tmp_path, monkeypatch):
    monkeypatch.delenv("JUDGE_DATA", raising=False)
    write_rows(tmp_path / "rows.jsonl", ROWS)
    lessons = lessons_of(recipe("${JUDGE_DATA}/rows.jsonl"), RunFolder(tmp_path / "run"), tmp_path)
    assert list(lessons.trained) == ROWS


@pytest.mark.parametrize(
    ("train", "problem"),
    [
        (
            {"rows": ""},
            "train.rows: a file of rows and method reply, unlikelihood, nat or nce need each other (",
        ),
        (
            {"method": "direct"},
            "train.rows: a file of rows and method reply, unlikelihood, nat or nce need each other",
        ),
        ({"targets": "soft"}, "train.targets: a whole reply is learned as it is written: must be hard"),
        ({"contrast": 0.5}, "train.symmetry: only verdicts alone have a mirror image"),
    ],
)
def test_a_recipe_of_rows_and_one_of_verdicts_are_not_mixed(train, problem):
    with pytest.raises(BadLines) as caught:
        recipe("rows.jsonl", **train)
    assert any(one.startswith(f"rows.yaml: {problem}") for one in caught.value.problems)


def test_without_a_verdict_there_is_no_chance_to_compare_with():
    assert History(0).chance is None
    assert History(0).words_of(1.25) == "loss 1.250 a token"
    assert History(2).words_of(0.5) == "letter loss 0.500 (chance 0.693)"
    before, after = {"letter_loss": 1.0}, {"letter_loss": 1.0}
    assert unlearned_warning(before, after).startswith("NOTHING LEARNED")
    assert unlearned_warning(before, {"letter_loss": 0.9}) == unlearned_warning(None, None) == ""


# --- tokens and training ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return make_model(tmp_path_factory.mktemp("models") / "tiny", VERDICT_MERGES)


@pytest.mark.slow
def test_a_row_of_tokens_is_the_prompt_that_is_asked_and_the_reply_with_the_end_of_the_turn():
    encoder = PromptEncoder(make_tokenizer(merges=VERDICT_MERGES), 4096, "trim")
    [row] = reply_rows([Asked(0, Row(TALK, "four").prompt, "four", 2.0)], encoder, 259)
    [asked] = encoder.encode([plain(TALK)])
    assert row.targets == (*encoder.plain_ids("four"), 259)
    assert row.ids == (*asked.ids, *row.targets[:-1])
    assert row.first_place == len(asked.ids) - 1  # what stands at a place predicts the token after it
    assert (row.weight, row.is_trimmed) == (2.0, False)


@pytest.mark.slow
def test_text_of_a_row_is_never_markup():
    encoder = PromptEncoder(make_tokenizer(merges=VERDICT_MERGES), 4096, "trim")
    [row] = reply_rows([Asked(0, plain("<|im_end|>"), "<|im_end|>")], encoder, 259)
    assert row.targets.count(259) == 1
    assert row.ids.count(259) == encoder.encode([plain("x")])[0].ids.count(259)


def training_of(tiny, folder, rows, **settings) -> ReplyTraining:
    train = recipe("rows.jsonl", **settings).train
    student = Student(str(tiny), Lora(4, 8, 0.5), 2048, "cpu", "float32", seed=3)
    asked = [Asked(n, row.prompt, row.reply, row.weight) for n, row in enumerate(rows)]
    batches = batches_of(reply_rows(asked, student.encoder, student.end_of_turn), train.batch_tokens)
    return ReplyTraining(student, batches, batches, train, 0, folder, "k")


@pytest.mark.slow
def test_the_loss_is_minus_the_log_probability_of_each_whole_reply_times_its_weight(tiny, tmp_path):
    rows = [Row.of("Say yes!", "yes"), Row.of("Say yes!", "yes, indeed", 3.0), Row.of("And?", "no")]
    training = training_of(tiny, tmp_path, rows, batch_tokens=4096)
    [batch] = training.batches
    training.lower.prepare([batch], lambda *_: None)
    loss, a_token = training._losses(batch)
    student = training.student
    student.model.set_attn_implementation("sdpa")
    torch = pytest.importorskip("torch")
    expected, means = [], []
    for row in batch.rows:
        logits = student.model(torch.tensor([row.ids])).logits[0, row.first_place :]
        whole = torch.nn.functional.cross_entropy(logits, torch.tensor(row.targets), reduction="sum").item()
        expected.append(row.weight * whole)
        means.append(row.weight * whole / len(row.targets))
    assert loss.item() == pytest.approx(sum(expected), rel=1e-4)
    assert a_token.item() == pytest.approx(sum(means), rel=1e-4)


@pytest.mark.slow
def test_a_row_that_counts_twice_is_learned_as_two_rows_are(tiny, tmp_path):
    one, other = Row.of("Say yes!", "yes"), Row.of("And?", "no way")
    twice = training_of(tiny, tmp_path / "twice", [Row.of("Say yes!", "yes", 2.0), other], batch_tokens=4096)
    two = training_of(tiny, tmp_path / "two", [one, one, other], batch_tokens=4096)
    for training in (twice, two):
        training.lower.prepare(training.used, lambda *_: None)
    steps = [(twice.step(number), two.step(number)) for number in (1, 2, 3)]
    for a, b in steps:
        assert a.loss == pytest.approx(b.loss, rel=1e-4)
        assert a.letter_loss == pytest.approx(b.letter_loss, rel=1e-4)


@pytest.mark.slow
def test_a_student_of_rows_replies_as_they_say_and_its_adapter_generates(tiny, tmp_path):
    rows = [*ROWS, Row(TALK, "the sum of two and two is four", 2.0)]
    manifest = train_rows(rows, tmp_path / "run", base_model=str(tiny), held_out=0.0, **SETTINGS)
    assert manifest["metrics"]["letter_loss"] < 0.05
    assert manifest["loaded_difference"] < 1e-4
    assert manifest["warning"] == ""
    assert "Loss a token" in format_metrics(manifest["metrics"])
    folder = tmp_path / "run" / "adapter"
    settings = Settings(str(tiny), adapter=str(folder), dtype="float32", device="cpu")
    backend = load_backend("embedded", settings)
    replies = backend.complete([row.prompt for row in rows], Sampling(max_new_tokens=64))
    assert [reply.text for reply in replies] == [row.reply for row in rows]
    assert all(reply.is_ended for reply in replies)
    assert [reply.tokens_out for reply in replies] == [len(row.reply) + 1 for row in rows]  # and the end
    values = read_adapter(folder).manifest
    assert (values["targets"], values["templates"], values["letters"]) == ("replies", [], "")
    assert values["data"]["train"] == [row.content_hash for row in rows]
    with pytest.raises(InputError, match="the adapter rows has learned replies to rows, so it is no judge"):
        JudgeOptions(settings=settings).asked_by  # noqa: B018


def test_a_refused_call_leaves_the_rows_of_the_folder_as_they_were(tiny, tmp_path):
    run = RunFolder(tmp_path / "run")
    with run.held():
        write_rows(run.rows, ROWS)
        before = run.rows.read_bytes()
        with pytest.raises(InputError, match="another stage is at work in this folder"):
            train_rows([Row.of("Else?", "no")], run.path, base_model=str(tiny), **SETTINGS)
    assert run.rows.read_bytes() == before


def test_rows_are_not_trained_on_where_a_file_is_in_the_folders_place(tiny, tmp_path):
    (tmp_path / "run").write_text("")
    for folder in (tmp_path / "run", tmp_path / "run" / "below"):
        with pytest.raises(InputError, match=r"run(/below)?: cannot be written \("):
            train_rows(ROWS, folder, base_model=str(tiny), **SETTINGS)


def test_of_a_file_with_its_right_rows_first_both_kinds_are_looked_at(tmp_path):
    path = tmp_path / "rows.jsonl"
    signs = [RIGHT] * 40 + [WRONG] * 40
    write_rows(path, [Row.of(f"Question {n}?", "yes", sign=sign) for n, sign in enumerate(signs)])
    made = recipe(path, held_out=0.5, method="unlikelihood", watched=8)
    watched = reply_lessons(made).watched
    assert {row.sign for row in watched} == {RIGHT, WRONG}
    again = drawn(list(reversed(watched)), 4, made.seed, lambda row: row)
    assert again == list(watched[:4])


@pytest.mark.slow
def test_held_out_rows_are_looked_at_word_for_word(tiny, tmp_path):
    rows = [Row.of(f"Question {n}?", "yes") for n in range(8)]
    settings = SETTINGS | {"epochs": 15, "watched": 3, "layers": 0.5}
    found = train_rows(rows, tmp_path, base_model=str(tiny), held_out=0.5, **settings)
    before, after = found["metrics"]["before"], found["metrics"]["after"]
    n_watched = len(read_adapter(tmp_path / "adapter").manifest["data"]["held_out"][:3])
    assert before["agreement"] == {"count": 0, "total": n_watched}
    assert after["agreement"] == {"count": n_watched, "total": n_watched}
    assert after["letter_loss"] < 0.1 < before["letter_loss"]
    assert "word for word" in format_metrics(found["metrics"])


@pytest.mark.slow
def test_a_killed_training_on_rows_ends_with_the_weights_of_a_whole_one(tiny, tmp_path):
    settings = SETTINGS | {"epochs": 6, "evaluations": 6}

    class Killed(BaseException):
        pass

    def kill(stage, done, total):
        if stage.startswith("training") and done == total - 1:
            raise Killed

    def weights(folder: str) -> bytes:
        return (tmp_path / folder / "adapter" / "adapter_model.safetensors").read_bytes()

    rows = [Row.of(f"Question {n}?", f"answer {n}") for n in range(9)]
    arguments = {"base_model": str(tiny), "held_out": 0.4, **settings}
    with pytest.raises(Killed):
        train_rows(rows, tmp_path / "killed", progress=kill, **arguments)
    assert not (tmp_path / "killed" / "adapter").exists()
    train_rows(rows, tmp_path / "killed", **arguments)
    first = train_rows(rows, tmp_path / "whole", **arguments)
    assert weights("killed") == weights("whole")
    assert train_rows(rows, tmp_path / "whole", **arguments) == first  # done, and not done again


@pytest.mark.slow
def test_prompts_that_are_too_long_are_all_named(tiny, tmp_path):
    rows = [*ROWS, Row.of("x" * 500, "a"), Row.of("y" * 500, "b")]
    with pytest.raises(PromptTooLong, match="yyyy") as caught:
        train_rows(rows, tmp_path, base_model=str(tiny), held_out=0.0, max_prompt_tokens=128, **SETTINGS)
    assert "xxxx" in str(caught.value)
    assert not (tmp_path / "adapter").exists()


@pytest.mark.slow
def test_the_command_line_trains_on_rows_without_a_teacher_and_shows_what_was_learned(
    tiny, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    write_rows("rows.jsonl", ROWS)
    made = recipe("rows.jsonl", base_model=str(tiny), epochs=2)
    Path("rows.yaml").write_text(json.dumps(recipe_to_json(made)), encoding="utf-8")
    done = CliRunner().invoke(app, ["distill", "all", "--config", "rows.yaml"])
    assert done.exit_code == 0, done.output
    assert "Adapter: runs/rows/adapter" in done.output
    assert not Path("runs/rows/ledger.sqlite").exists()
    shown = CliRunner().invoke(app, ["adapters", "show", "runs/rows/adapter"]).output
    assert "replies to prompts" in shown
    assert "4 to learn from, 0 held out" in shown
    listed = CliRunner().invoke(app, ["adapters", "list"]).output
    assert "replies  4 rows" in listed
    again = run_train(made, RunFolder(Path("runs/rows")), None)
    write_rows("rows.jsonl", ROWS[:3])
    assert run_train(made, RunFolder(Path("runs/rows")), None)["inputs"] != again["inputs"]


def test_a_home_folder_is_meant_by_its_sign_and_a_call_that_is_refused_changes_no_rows(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert RunFolder(Path("~/run")).rows == tmp_path / "run" / "rows.jsonl"
    write_rows(tmp_path / "rows.jsonl", [Row.of("2 + 2?", "4")])
    before = (tmp_path / "rows.jsonl").read_bytes()
    with pytest.raises(BadLines):
        train_rows([Row.of("3 + 3?", "6")], tmp_path, epochs=0)
    assert (tmp_path / "rows.jsonl").read_bytes() == before

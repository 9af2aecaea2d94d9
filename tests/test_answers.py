"""Answers by makers of known strength: written once, kept without the requests, made into ladder pairs."""

from __future__ import annotations

import gzip
import json
import random
from collections import Counter
from pathlib import Path

import pytest
from typer.testing import CliRunner

from distill.answers import HALF, SCHEMA, Maker, hash_of, read_answers, with_answers, write_answers
from distill.construct import constructed_kind, material_of
from distill.kinds import ConstructKind
from distill.ladder import half_of
from distill.lessons import made_examples
from distill.recipe import recipe_of, recipe_to_json
from distill.selection import Example, Part, targets
from judge.backends.scripted import ScriptedBackend
from judge.cli.main import app
from judge.errors import BadLines, InputError
from judge.io.pairs import write_pairs
from judge.ledger.ledger import Ledger
from judge.records import Outcome, Pair

THINGS = ("bees", "tides", "maps", "bells", "roads", "seeds", "lamps", "coins", "reeds", "kites")
REQUESTS = [f"Please tell me all about the {one}, and why they matter so much" for one in THINGS]
N = len(REQUESTS)
N_HALVES = len({half_of(one, 0) for one in REQUESTS})
"""Requests of which the same half is shown are one question."""
SYLLABLES = ("ba", "do", "ki", "lu", "me", "no", "ru", "sa", "ti", "vo")
LARGE, SMALL, HIDDEN = (Maker.of(one) for one in ("large=big", "small=little", "hidden=little:half"))


def words_of(prompt):
    return "".join(span.text for _, spans in prompt.messages for span in spans)


class Loader:
    """Makers whose answers name them and what they were asked, and go on in words of their own."""

    def __init__(self):
        self.asked = Counter()

    def __call__(self, base_model):
        def said(prompt, _):
            self.asked[base_model] += 1
            dice = random.Random(f"{base_model} {words_of(prompt)}")
            said = [
                " ".join("".join(dice.choices(SYLLABLES, k=3)) for _ in range(9))
                for _ in range(dice.randint(2, 4))
            ]
            return f"{base_model} was asked: {words_of(prompt)}. " + " ".join(f"{one}." for one in said)

        return ScriptedBackend(said, base_model)


@pytest.fixture
def written(tmp_path):
    loader = Loader()
    path = tmp_path / "answers.jsonl.gz"
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        n = write_answers(path, [*REQUESTS, "Why?"], [LARGE, SMALL, HIDDEN], ledger, loader=loader)
        assert n == N + 1
    return path, loader


def test_each_maker_answers_each_request_and_the_weakest_sees_half(written):
    path, loader = written
    answers = read_answers(path)
    assert answers.makers == ("large", "small", "hidden")
    assert answers.half_blind == ("hidden",)
    found = answers.of([*REQUESTS, "never asked"])
    assert set(found) == set(REQUESTS)
    for request, said in found.items():
        assert said["large"].startswith("big was")
        assert request in said["large"]
        assert said["small"].startswith("little was")
        assert request in said["small"]
        assert half_of(request, 0) in said["hidden"]
        assert request not in said["hidden"]
    assert set(answers.of(["Why?"])["Why?"]) == {"large", "small"}, "half of it is nothing"
    assert loader.asked == {"big": N + 1, "little": N + 1 + N_HALVES}


def test_the_file_has_no_request_and_says_how_it_was_made(written):
    header, *lines = (json.loads(line) for line in gzip.decompress(written[0].read_bytes()).splitlines())
    assert header["schema"] == SCHEMA
    assert header["makers"][2] == {
        "name": "hidden",
        "base_model": "little",
        "sees_half": True,
        "base_model_hash": "",
    }
    assert {line["request"] for line in lines} == {hash_of(one) for one in [*REQUESTS, "Why?"]}


def test_what_was_said_is_not_asked_for_again(written, tmp_path):
    path, loader = written
    before = path.read_bytes()
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        write_answers(path, [*REQUESTS[::-1], "Why?"], [LARGE, SMALL, HIDDEN], ledger, loader=loader)
    assert path.read_bytes() == before
    assert loader.asked.total() == 2 * (N + 1) + N_HALVES


@pytest.mark.parametrize("spec", ["large", "=big", "large=", "large=big:third"])
def test_a_maker_told_otherwise_is_refused(spec):
    with pytest.raises(InputError, match=rf"--maker {spec}: must be NAME=BASE_MODEL or .*:{HALF}\."):
        Maker.of(spec)


def test_two_makers_of_one_name_are_refused(tmp_path):
    with Ledger(tmp_path / "ledger.sqlite") as ledger, pytest.raises(InputError, match="two makers of one"):
        write_answers(tmp_path / "out", REQUESTS, [LARGE, LARGE], ledger, loader=Loader())


HEADER = json.dumps({"schema": SCHEMA, "makers": [{"name": "large", "sees_half": False}]}) + "\n"


def line_of(request, answer):
    return json.dumps({"request": hash_of(request), "answers": {"large": answer}}) + "\n"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('{"request": "no header"}\n', r"jsonl:1: its schema is None\. The first line of a file that `judge"),
        ('{"schema": "other/1", "makers": []}\n', r"jsonl:1: its schema is 'other/1'\. The first line"),
        (HEADER.replace('[{"name"', '[{"nome"'), r"jsonl:1: makers: must be the list of makers, each with"),
        ("nothing\n", r"jsonl:1: not JSON \(Expecting value at character 1\)\."),
        ("", r"jsonl: the file is empty\. `judge distill answers` writes one\."),
        (HEADER, r"jsonl: no request is answered in it\."),
        (HEADER + line_of("a", None), r"jsonl:2: answers: must be .* text that each maker .*'large': None"),
        (HEADER + line_of("a", "b") + line_of("c", 7), r"jsonl:3: answers: must be an object with the text"),
        (HEADER + '{"request": "a"}\n', r"jsonl:2: request: must be the SHA-256 .*; answers: missing, must"),
        (HEADER + line_of("a", "b") * 2, r"jsonl:3: the request [0-9a-f]{12} is already in .*jsonl:2\."),
    ],
)
def test_another_file_is_refused(tmp_path, text, complaint):
    path = tmp_path / "answers.jsonl"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=complaint):
        read_answers(path)


def test_the_command_reads_the_recipes_requests(tmp_path, monkeypatch, data_dir):
    monkeypatch.chdir(tmp_path)
    write_pairs("pairs.jsonl", [example_of(one).pair for one in REQUESTS])
    Path("mine.yaml").write_text(
        "name: mine\ncollect: {pairs: {source: file, path: pairs.jsonl}}\n", encoding="utf-8"
    )
    loader = Loader()
    monkeypatch.setattr("distill.answers.load_backend", lambda _, settings: loader(settings.base_model))
    makers = ["--maker", "large=big", "--maker", "hidden=little:half"]
    given = ["distill", "answers", "--config", "mine.yaml", *makers, "--out", "answers.jsonl.gz"]
    ran = CliRunner().invoke(app, [*given, "--data-dir", str(data_dir)])
    assert ran.output.endswith("10 requests answered by large, hidden: answers.jsonl.gz\n")
    found = read_answers(Path("answers.jsonl.gz")).of(REQUESTS)
    assert all(set(said) == {"large", "hidden"} for said in found.values())
    assert Path("runs/mine/ledger.sqlite").is_file()


# --- pairs of them ---------------------------------------------------------------------------------------


def example_of(request):
    pair = Pair.of(request, "A reply of a person, long enough to be one.", "Another reply, as long as this.")
    return Example(pair, targets(Outcome.A), 1.0, Part.TRAIN)


def test_the_stronger_maker_wins_in_the_pairs_that_are_learned(written):
    path, _ = written
    made = made_examples([example_of(one) for one in REQUESTS], {"ladder": 3.0}, str(path), 0)
    assert made
    makers = ("big", "little")
    for one in made:
        assert constructed_kind(one.pair) is ConstructKind.LADDER
        assert one.pair.prompt in REQUESTS
        a, b = one.pair.response_a, one.pair.response_b
        better, worse = (a, b) if one.winner is Outcome.A else (b, a)
        assert makers.index(better.split()[0]) <= makers.index(worse.split()[0])


def test_the_material_says_who_saw_half_of_a_request(written):
    material = with_answers(material_of([example_of(one).pair for one in REQUESTS]), written[0])
    assert set(material.ladder) == set(REQUESTS)
    assert material.makers == ("large", "small", "hidden")
    assert material.half_blind == ("hidden",)


def test_requests_that_nobody_answered_make_no_pair_and_training_does_not_begin_without(written):
    kept = [example_of("What else is there?")]
    with pytest.raises(InputError, match="no pair of kind ladder can be made of 1 requests, 0 of them with"):
        made_examples(kept, {"ladder": 3.0}, str(written[0]), 0)
    assert made_examples(kept, {"ladder": 0.3}, str(written[0]), 0) == [], "none is asked for"


@pytest.mark.parametrize("train", [{"constructed": {"ladder": 0.5}}, {"answers": "answers.jsonl.gz"}])
def test_ladder_pairs_and_a_file_of_answers_need_each_other(train):
    with pytest.raises(BadLines, match="constructed pairs of kind ladder or other_answer need each other"):
        recipe_of({"name": "mine", "train": train}, "recipe.yaml")


def test_a_recipe_without_answers_does_not_speak_of_them():
    assert "answers" not in recipe_to_json(recipe_of({"name": "mine"}, "recipe.yaml"))["train"]
    train = {"constructed": {"ladder": 0.5}, "answers": "answers.jsonl.gz"}
    assert recipe_to_json(recipe_of({"name": "mine", "train": train}, "recipe.yaml"))["train"]["answers"]


@pytest.mark.parametrize("out", ["pairs.jsonl", "shard.jsonl.gz", "mine.yaml", "-"])
def test_answers_are_not_written_over_what_the_recipe_reads(tmp_path, monkeypatch, out):
    monkeypatch.chdir(tmp_path)
    write_pairs("pairs.jsonl", [Pair.of("Hello?", "Hello.", "Bye.")])
    Path("shard.jsonl.gz").write_bytes(b"a shard")
    teacher = '{backend: "scripted:longer", recorded: shard.jsonl.gz}'
    pairs = "{source: file, path: pairs.jsonl}"
    Path("mine.yaml").write_text(f"name: mine\ncollect: {{pairs: {pairs}, teacher: {teacher}}}\n", "utf-8")
    before = {path.name: path.read_bytes() for path in Path().iterdir()}
    asked = ["distill", "answers", "--config", "mine.yaml", "--maker", "a=small", "--out", out]
    done = CliRunner().invoke(app, asked)
    assert isinstance(done.exception, InputError)
    assert ("is the same file" if out != "-" else "Name a file") in str(done.exception)
    assert {path.name: path.read_bytes() for path in Path().iterdir()} == before

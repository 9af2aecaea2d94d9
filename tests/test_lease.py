"""The lease from its command line, on a CPU with small random models and made-up data of every set."""

from __future__ import annotations

import gzip
import json
import os
import re
import subprocess
import sys
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest
from models import VERDICT_MERGES, WORD_MERGES, make_model

from distill.folder import RunFolder
from distill.lease import steps
from distill.lease.place import LARGEST, Place
from distill.lease.students import recipes_of
from distill.lease.tables import labels_of, standing
from distill.recipe import recipe_of
from judge.backends import load_backend
from judge.evaluate import judge_pairs
from judge.methods.direct import Direct
from judge.records import Ballot, HumanVote, Pair

CHECKOUT = Path(__file__).parents[1]
LARGEST_FILE = 16_000_000
MISSING = ("vllm", "datasets", "gguf", "openai")
"""Packages that a rented machine may lack."""

BLOCKED = f'''
import sys
from importlib.abc import MetaPathFinder


class Missing(MetaPathFinder):
    """Finds nothing of the packages that are to be missing, and says so."""

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {MISSING}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)


sys.meta_path.insert(0, Missing())
'''


# --- data of every set, a few short rows each ------------------------------------------------------------


def written(file: Path, rows: Iterable[Mapping]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    data = "".join(json.dumps(row) + "\n" for row in rows).encode()
    file.write_bytes(gzip.compress(data) if file.suffix == ".gz" else data)


def hh_row(n: int) -> dict:
    row = {"subset": "helpful-base", "row": n, "n_turns": 1, "context": [], "prompt": f"Why {n}?"}
    return row | {"chosen": f"As {n} is even.", "rejected": "No" * (1 + n % 3)}


def oasst_rows(kind: str, n_prompts: int) -> Iterable[dict]:
    for n in range(n_prompts):
        asked = {"message_id": f"{kind}{n}", "message_tree_id": f"{kind}{n}", "parent_id": None}
        plain = {"lang": "en", "deleted": False, "rank": None, "synthetic": False}
        yield plain | asked | {"role": "prompter", "text": f"What of {kind} {n}?"}
        for rank, text in enumerate((f"It is {n} {kind}.", f"Nobody {kind} it.")):
            reply = {"message_id": f"{kind}{n}-{rank}", "parent_id": f"{kind}{n}", "role": "assistant"}
            yield plain | asked | reply | {"text": f"{text} {n}", "rank": rank}


def talk(question: str, answer: str) -> list[dict]:
    texts = (question, answer, "And then?", "Nothing.")
    roles = ("user", "assistant") * 2
    return [{"content": text, "role": role} for text, role in zip(texts, roles, strict=True)]


def mt_bench_row(n: int) -> dict:
    row = {"question_id": n, "model_a": "ant", "model_b": "bee", "winner": "model_a", "judge": "expert_1"}
    question = f"How many are {n}?"
    return row | {
        "turn": 1,
        "conversation_a": talk(question, f"{n}"),
        "conversation_b": talk(question, "Many, I think."),
    }


def data_in(folder: Path) -> Path:
    """The folder, with a few rows of each data set that a lease reads."""
    written(folder / "hh_rlhf" / "helpful_test_pairs.jsonl.gz", map(hh_row, range(24)))
    for name, kind in (("train_messages_reconstructed", "taught"), ("validation_messages", "kept")):
        written(folder / "oasst" / f"{name}.jsonl.gz", oasst_rows(kind, 6))
    for name in ("human", "gpt4_pair"):
        written(folder / "mt_bench_human_judgments" / f"{name}.jsonl.gz", map(mt_bench_row, range(4)))
    questions = [
        {"category": "math", "turns": [f"How many are {n}?", "And then?"], "reference": []} for n in range(4)
    ]
    written(folder / "mt_bench_human_judgments" / "question.jsonl", questions)
    for name in ("natural", *(f"adversarial_{kind}" for kind in ("neighbor", "gptinst", "gptout", "manual"))):
        row = {"input": f"Name a {name}.", "output_1": "Red.", "output_2": "A fine one!", "label": 1}
        written(folder / "llmbar" / f"{name}.jsonl", [row])
    return folder


# --- end to end ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    """A folder with data, a model, and the finder that hides packages."""
    folder = tmp_path_factory.mktemp("lease")
    make_model(folder / "tiny", [*VERDICT_MERGES, *WORD_MERGES], initializer_range=0.1)
    data_in(folder / "data")
    (folder / "blocked").mkdir()
    (folder / "blocked" / "sitecustomize.py").write_text(BLOCKED, encoding="utf-8")
    return folder


def lease(stage: Path, out: str, *options: str) -> subprocess.CompletedProcess:
    """A run of the command in a process of its own, without the packages that may be missing."""
    command = [sys.executable, "-m", "distill.lease", "--data", stage / "data", "--out", stage / out]
    command += ["--small", stage / "tiny", "--large", stage / "tiny", "--device", "cpu"]
    path = os.pathsep.join([str(stage / "blocked"), str(CHECKOUT)])
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "JUDGE_COMMIT": ""}
    return subprocess.run(
        [*map(str, command), "--pairs", "3", "--teach", "3", *options],
        cwd=stage,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.long
def test_every_kind_of_step_runs_on_a_cpu_and_a_failing_one_stops_no_other(stage):
    steps = (
        "parity,signals,student:grade-0.5b,student:pair-0.5b,student:nobody,bench:grade-0.5b,bare:score,"
        "nonsense,speed"
    )
    done = lease(stage, "out", "--within", "10m", "--steps", steps)
    assert done.returncode == 2, done.stderr[-4000:]
    assert "failed: student:nobody, nonsense" in done.stdout
    assert "Traceback" in done.stderr
    out = stage / "out"
    found = {file.name for file in out.iterdir() if file.is_file()}
    assert {
        "signals.json",
        "signals-hh-rlhf.jsonl.gz",
        "student-grade-0.5b.json",
        "bench-grade-0.5b.json",
    } < found
    assert {"parity-tiny.json", "speed.json"} < found
    assert {"adapter-grade-0.5b.tar", "adapter-pair-0.5b.tar", "bare-score.json", "shards.tar"} < found
    assert all(file.stat().st_size < LARGEST_FILE for file in out.iterdir() if file.is_file())

    signals = json.loads((out / "signals.json").read_text("utf-8"))
    assert {"direct", "alone", "yes", "request", "lift", "contrast"} <= set(signals["signals"])
    assert {"plain", "less_length", "direct_alone"} == set(signals["ensembles"])
    assert "versions" in signals["made_by"]
    with gzip.open(out / "signals-hh-rlhf.jsonl.gz", "rt") as file:
        assert len(list(file)) == 3

    grades, pairs = (
        json.loads((out / f"student-{name}-0.5b.json").read_text("utf-8")) for name in ("grade", "pair")
    )
    assert grades["hh-rlhf"]["inconsistent"] == 0.0
    assert grades["recipe"]["train"]["method"] == "score"
    assert max(one["loaded_difference"] for one in (grades, pairs)) < 0.01
    with tarfile.open(out / "adapter-grade-0.5b.tar") as tar:
        names = {Path(name).name for name in tar.getnames()}
    assert names == {"adapter_config.json", "adapter_model.safetensors", "manifest.json"}
    bench = json.loads((out / "bench-grade-0.5b.json").read_text("utf-8"))
    assert {"mt-bench", "oasst", "llmbar", "hh-rlhf"} <= set(bench)
    assert {bench[name]["unparsed"] for name in ("mt-bench", "oasst", "llmbar")} == {0.0}
    traces = [name for name in found if re.fullmatch(r"traces-[0-9a-f]{12}\.tar", name)]
    assert len(traces) == 1  # both students have one teacher and the same pairs


@pytest.mark.slow
def test_a_step_without_time_left_is_skipped_and_says_so(stage):
    done = lease(stage, "late", "--within", "1s", "--steps", "signals,speed")
    assert done.returncode == 0, done.stderr[-4000:]
    assert "signals: no time is left, skipped" in done.stdout
    assert "speed: no time is left, skipped" in done.stdout
    assert [file.name for file in (stage / "late").iterdir() if file.is_file()] == ["shards.tar"]


# --- its parts -------------------------------------------------------------------------------------------


def place_in(folder: Path, **changes) -> Place:
    values = {"data": folder, "out": folder / "out", "work": folder / "work", "small": "small"}
    values |= {"large": "large", "device": "cuda", "n_pairs": None, "n_taught": 10, "ends_at": 100.0}
    return Place(**values | changes)


def test_a_folder_larger_than_a_file_may_be_comes_home_in_parts(tmp_path):
    big = tmp_path / "big"
    big.mkdir()
    (big / "noise").write_bytes(os.urandom(LARGEST + 1000))
    place = place_in(tmp_path)
    place.work.mkdir()
    place.bring("big", big)
    parts = sorted(place.out.iterdir())
    assert [part.name for part in parts] == ["big.tar.1", "big.tar.2"]
    assert all(part.stat().st_size < LARGEST_FILE for part in parts)
    whole = tmp_path / "whole.tar"
    whole.write_bytes(b"".join(part.read_bytes() for part in parts))
    with tarfile.open(whole) as tar:
        assert tar.getnames() == ["big/noise"]
        assert tar.extractfile("big/noise").read() == (big / "noise").read_bytes()


def test_the_time_left_is_by_the_clock(tmp_path):
    assert place_in(tmp_path, clock=lambda: 70.0).left_s == 30.0


def test_a_student_of_other_pairs_than_before_gets_a_copy_of_their_selection(tmp_path, monkeypatch):
    def collect(recipe, shared, *_):
        shared.traces.mkdir(parents=True, exist_ok=True)
        (shared.traces / f"traces-{recipe.collect.pairs.limit}").write_text("", encoding="utf-8")

    def select(recipe, shared):
        shared.selection.write_text(f"{recipe.collect.pairs.limit}", encoding="utf-8")
        inputs = {"limit": recipe.collect.pairs.limit}
        return shared.finish("select", inputs, [shared.selection], {"report": {}, "warning": ""})

    monkeypatch.setattr(steps, "run_collect", collect)
    monkeypatch.setattr(steps, "run_select", select)
    place = place_in(tmp_path)
    place.work.mkdir()
    mine = RunFolder(place.work / "mine")
    for limit in (3, 4):
        made = recipe_of({"name": "mine", "collect": {"pairs": {"limit": limit}}}, "mine")
        steps.collected(place, made, mine)
        assert mine.selection.read_text("utf-8") == f"{limit}"
        assert [file.name for file in mine.traces.iterdir()] == [f"traces-{limit}"]
        mine.adapter.mkdir(exist_ok=True)
    assert mine.adapter.is_dir(), "what was learned before stays"


@pytest.mark.parametrize("device", ["cuda", "cpu"])
def test_every_students_recipe_is_whole(tmp_path, device):
    one = {"signals": {"direct": 1.0}, "length": 0.1}
    recipes = recipes_of(
        place_in(tmp_path, device=device), dict.fromkeys(("plain", "less_length", "direct_alone"), one)
    )
    for name, values in recipes.items():
        recipe = recipe_of(values, name)
        assert (recipe.name, recipe.train.device) == (name, device)
        assert recipe.student == ("large" if "1.5b" in name else "small")
        assert (recipe.train.method == "score") == name.startswith("grade")


def test_figures_on_labelled_pairs_are_counted_by_hand():
    pairs = [Pair.of(f"{n}?", a, b) for n, (a, b) in enumerate([("long", "x"), ("x", "long"), ("aa", "bb")])]
    votes = [HumanVote(pairs[0].id, "ann", Ballot.A), HumanVote(pairs[1].id, "ann", Ballot.A)]
    votes += [HumanVote(pairs[2].id, name, ballot) for name, ballot in (("ann", Ballot.A), ("bob", Ballot.B))]
    labels = labels_of(pairs, votes)
    assert labels == [1, 1, 0]
    verdicts = judge_pairs(pairs, Direct(load_backend("scripted:longer")))
    figures = standing(pairs, labels, verdicts)
    assert (figures["n"], figures["strict"], figures["inconsistent"]) == (2, 50.0, 0.0)
    assert (figures["where_longer_right"], figures["where_shorter_right"]) == (100.0, 0.0)
    assert (figures["longer_chosen"], figures["longer_right"]) == (100.0, 50.0)

"""`judge bench` from data to result file, with judges of a known character."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from measured import cost_of_judge
from models import make_adapter, make_model
from pairs import FOUR_PAIRS, pair_of
from typer.testing import CliRunner

from judge.backends.embedded import EmbeddedBackend
from judge.backends.scripted import ScriptedBackend
from judge.bench import run
from judge.bench.result import SCHEMA, frame_of, summary
from judge.bench.run import learned_in_words
from judge.cli.console import MIN_WIDTH
from judge.cli.main import app
from judge.datasets import mt_bench, mt_bench_check
from judge.datasets.dataset import Dataset, Wanted
from judge.errors import InputError, JudgeError
from judge.io.pairs import write_pairs
from judge.io.verdicts import read_verdicts
from judge.io.votes import write_votes
from judge.options import judge_options
from judge.records import Ballot, HumanVote

CHECKOUT = Path(__file__).parents[1]
LONGER, SHORTER = "name=longer,backend=scripted:longer", "name=shorter,backend=scripted:shorter"


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Six pairs in two categories with two voters, who prefer the longer answer in five of them."""
    monkeypatch.chdir(tmp_path)
    pairs = [
        pair_of("a long answer", "short", f"Question {n}?", f"p{n}", category="even" if n % 2 == 0 else "odd")
        for n in range(6)
    ]
    said = [Ballot.A] * 5 + [Ballot.B]
    votes = [
        HumanVote(pair.id, voter, ballot, model_a="big", model_b="small")
        for pair, ballot in zip(pairs, said, strict=True)
        for voter in ("ann", "bob")
    ]
    write_pairs(tmp_path / "pairs.jsonl", pairs)
    write_votes(tmp_path / "votes.jsonl", votes)
    return tmp_path


def bench(*arguments: str | Path, expect: int = 0) -> str:
    """What the command prints; run in this process, so that a test can look on."""
    command = ["bench", *map(str, arguments), "--ledger", "ledger.sqlite"]
    done = CliRunner().invoke(app, command)
    if isinstance(done.exception, JudgeError):
        assert expect == 2
        return str(done.exception)
    assert done.exit_code == expect, (done.output, done.exception)
    return done.stdout


def result(*arguments: str | Path, expect: int = 0) -> dict:
    bench(*arguments, "--out", "result.json", "--quiet", expect=expect)
    return json.loads(Path("result.json").read_text(encoding="utf-8"))


def figures_of(found: dict, name: str) -> dict:
    [judge] = [judge for judge in found["judges"] if judge["name"] == name]
    return judge["figures"]


@pytest.mark.slow
def test_judges_and_baselines_stand_in_one_result_with_intervals_and_provenance(own):
    found = result("pairs.jsonl", "--votes", "votes.jsonl", "--judge", LONGER, "--judge", SHORTER)
    assert found["schema"] == SCHEMA
    assert [judge["name"] for judge in found["judges"]] == [
        "longer", "shorter", "longer wins", "first wins", "coin",
    ]  # fmt: skip
    assert figures_of(found, "longer")["strict"]["value"] == pytest.approx(5 / 6)
    assert figures_of(found, "shorter")["strict"]["value"] == pytest.approx(1 / 6)
    assert figures_of(found, "longer")["length_balanced"]["value"] == 0.5
    low, high = (figures_of(found, "longer")["strict"][end] for end in ("low", "high"))
    assert 0.3 < low < 5 / 6 < high <= 1
    assert figures_of(found, "first wins")["inconsistent"]["value"] == 1
    assert found["people"]["figures"]["strict"]["value"] == 1
    assert found["data"]["n_pairs"] == 6
    assert found["data"]["n_votes"] == 12
    assert found["data"]["categories"].keys() == {"even", "odd"}
    assert re.fullmatch("[0-9a-f]{64}", found["data"]["hash"])
    assert found["judges"][0]["fingerprint"].startswith("scripted-longer+none/direct@scripted#")
    assert found["judges"][0]["ranking"]["names"] == ["big", "small"]


@pytest.mark.slow
def test_every_judge_of_a_run_does_as_it_does_alone(own):
    judges = ["--judge", LONGER, "--judge", SHORTER, "--judge", "name=third,backend=scripted:unreadable:3"]
    together = result("pairs.jsonl", "--votes", "votes.jsonl", *judges, expect=3)
    for name, spec in zip(("longer", "shorter", "third"), judges[1::2], strict=True):
        Path("ledger.sqlite").unlink()
        status = 3 if name == "third" else 0
        alone = result("pairs.jsonl", "--votes", "votes.jsonl", "--judge", spec, expect=status)
        assert figures_of(alone, name) == figures_of(together, name)
    assert figures_of(together, "third")["unparsed"]["value"] > 0


@pytest.mark.slow
def test_where_some_pairs_cannot_be_judged_the_status_is_3_and_all_is_written(own):
    third = "name=third,backend=scripted:unreadable:3"
    said = bench(
        *("pairs.jsonl", "--votes", "votes.jsonl", "--judge", third, "--judge", LONGER),
        *("--out", "result.json", "--markdown", "-"),
        expect=3,
    )
    judges = {one["name"]: one for one in json.loads(Path("result.json").read_text("utf-8"))["judges"]}
    n = judges["third"]["judged"]["count"]
    assert 0 < n < 6
    assert judges["third"]["judged"] == {"count": n, "total": 6}
    assert judges["longer"]["judged"] == {"count": 6, "total": 6}
    by_category = judges["third"]["judged_by_category"]
    assert sum(one["count"] for one in by_category.values()) == n
    assert f"{n} of 6 judged" in said


@pytest.mark.slow
def test_what_the_ledger_knows_is_not_judged_again(own, monkeypatch):
    first = result("pairs.jsonl", "--votes", "votes.jsonl", "--judge", LONGER)

    def refuse(*_):
        raise AssertionError("judged again")

    monkeypatch.setattr(ScriptedBackend, "choose", refuse)
    again = result("pairs.jsonl", "--votes", "votes.jsonl", "--judge", LONGER)
    assert again == first


@pytest.mark.slow
def test_judges_without_a_name_are_told_apart(own):
    specs = [
        "backend=scripted:longer",
        "backend=scripted:longer,method=bsm",
        "backend=scripted:longer,ties=yes",
    ]
    found = result("pairs.jsonl", "--votes", "votes.jsonl", *(x for spec in specs for x in ("--judge", spec)))
    names = [judge["name"] for judge in found["judges"]][:3]
    assert names[1] == "scripted-longer bsm"
    assert re.fullmatch(r"scripted-longer\+none/direct@scripted#[0-9a-f]{16}", names[0])
    assert names[0] != names[2]


@pytest.mark.slow
def test_the_terminal_markdown_and_html_say_the_same_figure(own):
    arguments = ["pairs.jsonl", "--votes", "votes.jsonl", "--judge", LONGER]
    text = bench(*arguments, "--html", "report.html", "--markdown", "report.md")
    for said in (text, Path("report.html").read_text("utf-8"), Path("report.md").read_text("utf-8")):
        assert "83.3" in said
        assert "coin" in said
        assert "first wins" in said
        assert "people" in said
    assert max(map(len, text.splitlines())) <= max(MIN_WIDTH, 100)
    assert bench(*arguments, "--markdown", "-").startswith("# Judges on pairs.jsonl")


@pytest.mark.slow
def test_a_sample_takes_from_each_category_in_proportion_and_repeats(own):
    arguments = ["pairs.jsonl", "--votes", "votes.jsonl", "--judge", LONGER, "--limit", "4"]
    first, again, other = (result(*arguments, "--seed", seed) for seed in ("1", "1", "2"))
    assert first["data"]["hash"] == again["data"]["hash"]
    assert {name: part["n_pairs"] for name, part in first["data"]["categories"].items()} == {
        "even": 2,
        "odd": 2,
    }
    assert other["seed"] == 2
    assert first["data"]["selection"]["limit"] == 4


@pytest.mark.slow
def test_a_files_votes_count_whatever_their_turn_unless_one_is_asked_for(own):
    votes = [HumanVote(f"p{n}", "ann", Ballot.A, turn=1 + n % 2) for n in range(6)]
    write_votes("votes.jsonl", votes)
    arguments = ["pairs.jsonl", "--votes", "votes.jsonl", "--judge", LONGER]
    assert result(*arguments)["data"]["n_votes"] == 6
    second = result(*arguments, "--turn", "2")
    assert second["data"]["n_votes"] == 3
    assert second["data"]["broken"]["vote on another turn"] == 3


def test_a_data_set_without_pairs_is_refused_with_what_was_left_out():
    empty = Dataset("theirs", (), (), "another package", {"no vote": 3})
    with pytest.raises(InputError, match=r"^theirs: no pair with a vote is left \(left out: no vote: 3\)\.$"):
        run.chosen(empty, (), None, 0)


@pytest.mark.slow
def test_one_category_alone_can_be_asked_for(own):
    found = result("pairs.jsonl", "--votes", "votes.jsonl", "--judge", LONGER, "--category", "odd")
    assert found["data"]["n_pairs"] == 3
    assert found["data"]["categories"] == {}


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["mt-bunch"], "no such data set. There are mt-bench, oasst, llmbar, hh-rlhf, "),
        (["mt-bunch"], "Did you mean mt-bench?"),
        (
            ["pairs.jsonl", "--votes", "votes.jsonl", "--out", "-", "--html", "-"],
            "-: two outputs would be mixed",
        ),
        (["pairs.jsonl", "--votes", "votes.jsonl", "--category", "left"], "There are: even, odd."),
        (["pairs.jsonl", "--turn", "first"], "--turn first: must be 1, 2, ..., or any."),
        (["pairs.jsonl", "--votes", "missing.jsonl"], "missing.jsonl"),
        (["pairs.jsonl", "--votes", "votes.jsonl", "--judge", "bsm"], "Write name=value"),
        (["pairs.jsonl", "--votes", "votes.jsonl", "--out", "no/folder.json"], "its folder is missing"),
    ],
)
def test_a_mistake_is_one_clear_line_before_anything_is_judged(own, monkeypatch, arguments, complaint):
    monkeypatch.setattr(ScriptedBackend, "choose", None)
    said = bench(*arguments, "--backend", "scripted:longer", expect=2)
    assert complaint in said
    assert "\n" not in said


def test_two_judges_of_one_name_are_refused_before_anything_is_judged(own, monkeypatch):
    monkeypatch.setattr(ScriptedBackend, "choose", None)
    twice = [part for spec in (LONGER, LONGER) for part in ("--judge", spec)]
    assert "two judges are named longer" in bench("pairs.jsonl", "--votes", "votes.jsonl", *twice, expect=2)


@pytest.mark.slow
def test_every_key_of_a_result_file_is_documented(own):
    found = result("pairs.jsonl", "--votes", "votes.jsonl", "--judge", LONGER)
    documented = set(re.findall(r"`(\w+)`", (CHECKOUT / "docs/result-files.md").read_text("utf-8")))
    documented |= {"A", "B", "TIE", "value", "low", "high", "n"}
    by_content = {
        "by_category",
        "judged_by_category",
        "categories",
        "broken",
        "versions",
        "identity",
    }  # keys that are names of things

    def keys_in(value, name=""):
        if isinstance(value, dict):
            for key, item in value.items():
                yield from () if name in by_content else [key]
                yield from keys_in(item, key)
        elif isinstance(value, list):
            for item in value:
                yield from keys_in(item, name)

    assert sorted(set(keys_in(found)) - documented) == []
    assert set(found["judges"][0]["figures"]) <= documented


# --- the published figures -------------------------------------------------------------------------------


def test_the_harness_reproduces_the_published_figures_of_mt_bench(data_dir):
    wanted = Wanted(data_dir, 1, "experts")
    made = run.self_check("mt-bench", wanted)
    assert [check.name for check in made if not check.is_met] == []
    assert len(made) == 14
    assert {check.name: check.ours for check in made}["GPT-4 strict"] == 69.4
    said = summary(made, "MT-bench turn 1 (experts)")
    assert said.startswith("Self-check passed, 14 published figures of MT-bench turn 1 (experts) come out: ")


def test_a_harness_that_gets_one_figure_wrong_fails_its_self_check(data_dir):
    dataset = mt_bench.read(Wanted(data_dir, 1, "experts"))
    votes = (*dataset.votes[1:], HumanVote(dataset.pairs[0].id, "somebody else", Ballot.TIE))
    made = mt_bench_check.checks(replace(dataset, votes=votes), [])
    said = summary(made, "MT-bench")
    assert said.startswith("Self-check FAILED: ")
    assert "GPT-4 inconsistent on these 0.0 instead of 15.7" in said


@pytest.fixture
def real(data_dir, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return ["--data-dir", str(data_dir)]


@pytest.mark.slow
def test_on_mt_bench_gpt_4_and_the_ceilings_stand_beside_the_judge(real):
    found = result("mt-bench", *real, "--judge", LONGER)
    assert [judge["kind"] for judge in found["judges"]] == ["judge", "released", *["baseline"] * 3]
    assert round(100 * figures_of(found, "gpt-4 (released)")["strict"]["value"], 1) == 69.4
    assert round(100 * found["people"]["figures"]["without_ties"]["value"], 1) == 81.0
    assert len(found["data"]["categories"]) == 8
    assert all(check["is_met"] for check in found["self_check"])
    assert frame_of(found).self_check[0][1]
    longer, rule = (figures_of(found, name)["strict"]["value"] for name in ("longer", "longer wins"))
    assert longer == pytest.approx(rule, abs=0.01)  # the judge flips where both are equally long


@pytest.mark.slow
@pytest.mark.parametrize(("data", "n_pairs"), [("oasst", 530), ("llmbar", 419), ("hh-rlhf", 970)])
def test_the_other_data_sets_are_measured_likewise(real, data, n_pairs):
    found = result(data, *real, "--judge", LONGER)
    assert found["data"]["n_pairs"] == n_pairs
    assert found["self_check"] == []
    assert figures_of(found, "coin")["inconsistent"]["value"] == 0


@pytest.mark.slow
def test_all_votes_on_both_turns_with_the_report_take_under_20_seconds_and_1_gib(data_dir, tmp_path):
    """The largest step of the harness: 3,355 votes, intervals of everything, a page with charts."""
    judge = ["--votes", "all", "--backend", "scripted:longer", "--data-dir", str(data_dir.resolve())]
    files = ["--html", "report.html", "--out", "result.json", "--ledger", "ledger.sqlite"]
    seconds, gib = cost_of_judge(["bench", "mt-bench", "--turn", "any", *judge, *files, "--quiet"], tmp_path)
    assert json.loads((tmp_path / "result.json").read_text("utf-8"))["data"]["n_votes"] == 3_355
    assert seconds < 20
    assert gib < 1


# --- judge report --votes --------------------------------------------------------------------------------


def report(*arguments: str) -> str:
    done = CliRunner().invoke(app, ["report", *arguments])
    if isinstance(done.exception, InputError):
        return str(done.exception)
    assert done.exit_code == 0, (done.output, done.exception)
    return done.stdout


@pytest.fixture
def judged(own):
    """Verdicts of two judges in one file."""
    for name in ("longer", "shorter"):
        command = ["run", "pairs.jsonl", "--out", f"{name}.jsonl", "--ledger", "l.sqlite", "-q"]
        assert CliRunner().invoke(app, [*command, "--backend", f"scripted:{name}"]).exit_code == 0
    Path("verdicts.jsonl").write_text(Path("longer.jsonl").read_text() + Path("shorter.jsonl").read_text())
    return own


@pytest.mark.slow
def test_verdicts_on_own_pairs_are_measured_against_own_votes(judged):
    text = report("verdicts.jsonl", "--votes", "votes.jsonl", "--pairs", "pairs.jsonl", "--html", "r.html")
    for said in (text, Path("r.html").read_text("utf-8")):
        assert "83.3" in said
        assert "16.7" in said
        assert "longer wins" in said
    made = json.loads(
        report("verdicts.jsonl", "--votes", "votes.jsonl", "--pairs", "pairs.jsonl", "--json", "-")
    )
    assert [round(judge["figures"]["strict"]["value"], 3) for judge in made["judges"][:2]] == [0.833, 0.167]


def test_without_the_pairs_there_are_no_lengths_and_no_baselines(judged):
    made = json.loads(report("verdicts.jsonl", "--votes", "votes.jsonl", "--json", "-"))
    assert len(made["judges"]) == 2
    assert "length_balanced" not in made["judges"][0]["figures"]
    assert report("verdicts.jsonl", "--votes", "votes.jsonl").count("83.3") >= 1


def test_labels_of_another_tool_are_put_on_the_pairs_by_their_texts(judged):
    rows = [json.loads(line) for line in Path("pairs.jsonl").read_text("utf-8").splitlines()]
    labels = [
        {"id": row["id"], "prompt": row["prompt"], "chosen": row["response_a"], "rejected": row["response_b"]}
        for row in rows
    ]
    Path("labels.jsonl").write_text("".join(json.dumps(row) + "\n" for row in labels), "utf-8")
    given = ("verdicts.jsonl", "--votes", "labels.jsonl")
    made = json.loads(report(*given, "--pairs", "pairs.jsonl", "--json", "-"))
    assert [judge["figures"]["strict"]["value"] for judge in made["judges"][:2]] == [1, 0]
    assert report(*given).startswith("labels.jsonl: it calls no answer a")


def test_votes_on_other_pairs_and_empty_files_are_one_clear_line(judged):
    write_votes("other.jsonl", [HumanVote("somewhere else", "ann", Ballot.A)])
    assert "none of the 6 judged pairs has a vote" in report("verdicts.jsonl", "--votes", "other.jsonl")
    Path("empty.jsonl").write_text("")
    assert "there are no verdicts" in report("empty.jsonl", "--votes", "votes.jsonl")
    assert report("empty.jsonl").startswith(
        "empty.jsonl: there are no verdicts. Write some with `judge run`."
    )
    assert len(read_verdicts("verdicts.jsonl")) == 12


@pytest.mark.slow
def test_a_judge_that_learned_votes_is_refused_beside_a_distilled_one_before_anything_is_judged(
    own, monkeypatch
):
    model = make_model(own / "tiny")
    for name in ("mine", "mine-votes"):
        make_adapter(model, own / name)
    monkeypatch.setattr(EmbeddedBackend, "load", None)
    judges = [f"name={name},base-model=tiny,adapter={name}" for name in ("mine", "mine-votes")]
    said = bench(
        "pairs.jsonl", "--votes", "votes.jsonl", *(x for j in judges for x in ("--judge", j)), expect=2
    )
    assert said.startswith("mine-votes was fine-tuned on human votes and mine was not")


@pytest.mark.slow
def test_pairs_that_a_judge_has_learned_from_are_counted_in_either_order(tmp_path):
    model, pairs = make_model(tmp_path / "tiny"), FOUR_PAIRS
    turned = replace(pairs[1], conversation_a=pairs[1].conversation_b, conversation_b=pairs[1].conversation_a)
    train = [pairs[0].content_hash, turned.content_hash, "0" * 64]
    made = make_adapter(model, tmp_path / "mine", data={"pairs": "x", "train": train, "held_out": []})
    mine = judge_options(base_model=str(model), adapter=str(made))
    assert learned_in_words(mine, pairs).startswith("It has learned from 2 of these 4 pairs")
    assert learned_in_words(mine, pairs[2:]) == ""
    assert learned_in_words(judge_options(backend="scripted:longer"), pairs) == ""


def test_a_second_judge_that_is_none_is_found_before_the_first_one_judges(own, monkeypatch):
    monkeypatch.setattr(ScriptedBackend, "choose", None)
    second = "name=second,adapter=nowhere"
    said = bench("pairs.jsonl", "--votes", "votes.jsonl", "--judge", LONGER, "--judge", second, expect=2)
    assert said.startswith("nowhere: no such folder")

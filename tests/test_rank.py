"""`judge rank` and `judge.rank` from files to the leaderboard, with judges without a model."""

from __future__ import annotations

import json
import math
import random
import re
from itertools import count

import pytest
from measured import cost_of_judge
from rankings import write_outputs
from typer.testing import CliRunner

from judge import Judge, Message, rank
from judge.cli.main import app
from judge.errors import InputError
from judge.provenance import as_json
from judge.ranking.answers import read_answers
from judge.ranking.boards import headline_of, winner_of
from judge.ranking.leaderboard import Reason
from judge.ranking.page import format_ranking_html, format_ranking_text
from judge.ranking.rank import rank_answers

DRAW = random.Random(0)
LENGTHS = {
    "low": [100 + DRAW.randrange(200) for _ in range(60)],
    "middle": [160 + DRAW.randrange(200) for _ in range(60)],
    "high": [400 + DRAW.randrange(200) for _ in range(60)],
}

TALK = (Message("user", "Q?"), Message("assistant", "So."))


@pytest.fixture
def outputs(tmp_path, monkeypatch):
    monkeypatch.setenv("JUDGE_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return write_outputs(tmp_path / "outputs", LENGTHS)


@pytest.fixture
def run(outputs):
    """Runs `judge rank` on three models in this process."""

    def run(*arguments, files=outputs, backend="scripted:longer"):
        return CliRunner().invoke(app, ["rank", *map(str, files), "--backend", backend, *arguments])

    return run


def longer_judge(**options):
    return Judge(backend="scripted:longer", **options)


def test_the_longer_answer_is_the_better_model(outputs):
    with longer_judge(method="direct") as judge:
        board = rank(outputs, judge)
    assert board.models == ["high", "middle", "low"]
    for one in board.standings:
        assert one.inconsistent.count == 0
        assert one.n_won + one.n_tied + one.n_lost == one.inconsistent.total
        assert one.n_characters == pytest.approx(sum(LENGTHS[one.model]) / 60)
        n_all = sum(
            (own > other) + (own == other) / 2
            for name, those in LENGTHS.items()
            if name != one.model
            for own, other in zip(LENGTHS[one.model], those, strict=True)
        )
        assert (one.longer_wins.value, one.longer_wins.n) == (pytest.approx(n_all / 120), 120)


def test_with_all_pairs_judged_rates_are_those_that_can_be_counted(outputs):
    equal = {"x": [5, 9, 7, 3], "y": [6, 4, 8, 2]}
    with longer_judge(method="direct") as judge:
        board = rank(write_outputs(outputs[0].parent / "two", equal), judge)
    assert board.asked.reason is Reason.ALL
    assert {one.model: one.win_rate.value for one in board.standings} == pytest.approx({"x": 0.5, "y": 0.5})
    assert [(one.best, one.worst) for one in board.standings] == [(1, 2), (1, 2)]
    assert winner_of(board) == "None of the models is clearly better than another one."


def test_a_judge_that_grades_answers_reads_each_once_and_ranks_alike(outputs):
    with longer_judge(method="score", cache=False) as judge:
        graded = rank(outputs, judge)
        assert judge._method.backend.tokens_computed > 0
    with longer_judge(method="direct") as judge:
        compared = rank(outputs, judge)
    assert graded.models == compared.models
    assert (graded.asked.noun, graded.asked.n_all) == ("answer", 180)
    assert graded.asked.n_asked <= 180
    assert graded.asked.n_pairs > graded.asked.n_asked / 2
    assert "graded" in headline_of(graded)
    assert "by construction" in format_ranking_text(graded)
    assert "by construction" not in format_ranking_text(compared)


def test_grades_are_those_of_verdicts(outputs):
    with longer_judge(method="score") as judge:
        asked = Message("user", "Q?")
        talks = [(asked, Message("assistant", "x" * n)) for n in (10, 500)]
        low, high = judge.grades(talks)
        verdict = judge.compare("Q?", "x" * 10, "x" * 500)
    assert verdict.p_a == pytest.approx(1 / (1 + math.exp(high - low)))
    with longer_judge(method="direct") as judge, pytest.raises(InputError, match="Give method score"):
        judge.grades(talks)


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ((3,), r"^conversations is 3 \(int\)\. It must be a list of lists of messages\.$"),
        (
            (TALK,),
            r"^conversation 1 is of type Message\. It must be a list of messages that ends in an answer",
        ),
        (
            ([TALK], "known"),
            r"^references is of type str\. It must be a list of texts, one a conversation\.$",
        ),
        (([[]],), r"^conversation 1: a conversation is an empty list\."),
        (
            (["text"],),
            r"^conversation 1 is of type str\. It must be a list of messages that ends in an answer",
        ),
        (([[Message("user", "Q?")]],), r"^conversation 1: answer has role 'user'\. It must be assistant\.$"),
        (([TALK], ["a", "b"]), r"^references: 2 of 1 conversations\. Give one for each\.$"),
        (([TALK], [3]), r"^reference 1 is 3 \(int\)\. It must be text\.$"),
    ],
)
def test_what_is_no_answered_conversation_is_not_graded(given, complaint):
    with longer_judge(method="score") as judge, pytest.raises(InputError, match=complaint):
        judge.grades(*given)


def test_grades_take_messages_as_objects_and_what_can_be_read_once():
    objects = [{"role": one.role, "content": one.content} for one in TALK]
    with longer_judge(method="score") as judge:
        assert judge.grades(iter([objects])) == judge.grades([TALK])


def test_a_budget_is_kept_and_said(outputs):
    with longer_judge(method="direct") as judge:
        board = rank(outputs, judge, budget=37)
    assert (board.asked.n_asked, board.asked.reason) == (37, Reason.BUDGET)
    assert "judged 37 of 180 (20.6 %) possible pairs" in headline_of(board)
    with longer_judge() as judge, pytest.raises(InputError, match="budget is 0"):
        rank(outputs, judge, budget=0)
    with longer_judge() as judge, pytest.raises(InputError, match="budget is '3'"):
        rank(outputs, judge, budget="3")


def test_it_stops_when_all_neighbours_are_told_apart(outputs):
    far = {"a": [10 + n for n in range(60)], "b": [200 + n for n in range(60)]}
    with longer_judge(method="direct") as judge:
        board = rank(write_outputs(outputs[0].parent / "far", far), judge)
    assert board.asked.reason is Reason.APART
    assert board.asked.n_asked < 60
    assert winner_of(board) == "b is clearly the best."
    assert board.is_tied
    assert max(one.win_rate.value for one in board.standings) < 1
    assert "so that of a model that won everything is below 100 %" in " ".join(
        format_ranking_text(board).split()
    )


def test_what_only_length_tells_apart_has_no_rate_without_length(outputs):
    always = {"a": [10 + n for n in range(30)], "b": [200 + n for n in range(30)]}
    with longer_judge(method="direct") as judge:
        far = rank(write_outputs(outputs[0].parent / "far", always), judge)
        mixed = rank(outputs, judge)
    assert [one.length_controlled.value for one in far.standings] == [None, None]
    assert far.length is None
    told = "the longer answer in all pairs that were read, or in none, so nothing tells what length gains"
    assert told in " ".join(format_ranking_text(far).split())
    known = {one.model: one.length_controlled.value is not None for one in mixed.standings}
    assert known == {"high": False, "middle": True, "low": True}
    assert mixed.length > 0


@pytest.mark.parametrize("lengths", [{"a": 1, "b": 1}, {"a": 1, "b": 1, "c": 90}])
def test_answers_that_are_all_as_long_tell_nothing_of_length(outputs, lengths):
    files = write_outputs(outputs[0].parent / "alike", {name: [n] * 30 for name, n in lengths.items()})
    with longer_judge(method="direct") as judge:
        board = rank(files, judge)
    assert [one.length_controlled.value for one in board.standings] == [None] * len(lengths)
    assert board.length is None
    assert "so nothing tells what length gains" in " ".join(format_ranking_text(board).split())


def test_time_ends_it_between_chunks_and_what_was_judged_counts(outputs):
    ticks = count()
    with longer_judge(method="direct") as judge:
        judge._method.backend.batch_characters = 500
        board = rank_answers(read_answers(outputs), judge, within_s=12, clock=lambda: next(ticks))
    assert board.asked.reason is Reason.TIME
    assert 0 < board.asked.n_asked < 60
    assert "the time is over" in headline_of(board)


def test_progress_goes_from_nothing_to_all_that_is_asked(outputs):
    seen = []
    with longer_judge(method="direct") as judge:
        rank_answers(read_answers(outputs), judge, budget=50, progress=lambda *told: seen.append(told))
    assert seen[0] == ("comparing, 0 of 50 pairs", 0, 50)
    assert seen[-1] == ("comparing, 50 of 50 pairs", 50, 50)


def test_time_that_is_over_at_once_ranks_nothing(outputs):
    ticks = count(step=100)
    with longer_judge(method="direct") as judge, pytest.raises(InputError, match="nothing to rank: the time"):
        rank_answers(read_answers(outputs), judge, within_s=1, clock=lambda: next(ticks))


def test_one_prompt_tells_no_models_apart_and_its_figures_are_json(tmp_path):
    files = write_outputs(tmp_path, {"long": [20], "short": [10]})
    with longer_judge(method="direct") as judge:
        board = rank_answers(read_answers(files), judge)
    assert board.clear is None
    assert json.loads(as_json(board.as_json()), parse_constant=pytest.fail)["intervals"]["clear"] is None
    assert "one prompt tells none apart" in format_ranking_html(board)


def test_a_budget_that_reaches_no_pair_is_called_so(tmp_path):
    files = write_outputs(tmp_path, {"long": [20, 21], "short": [10, 11]})
    said = "nothing to rank: the budget is used up before two answers to one prompt were judged"
    with longer_judge(method="score") as judge, pytest.raises(InputError, match=said):
        rank_answers(read_answers(files), judge, budget=1)


def test_equal_files_judge_and_seed_give_equal_rankings_and_nothing_is_asked_twice(outputs):
    with longer_judge(method="direct") as judge:
        first = rank(outputs, judge, budget=90)
    with longer_judge(method="direct") as judge:
        again = rank(outputs[::-1], judge, budget=90)
        assert judge.tokens_computed == 0
        more = rank(outputs, judge, budget=120)
    assert first == again
    assert 90 < more.asked.n_asked <= 120


def test_a_judge_that_prefers_a_place_tells_nothing_apart_and_no_interval_says_so(outputs):
    with Judge(backend="scripted:first", method="direct") as judge:
        board = rank(outputs, judge)
    for one in board.standings:
        assert (one.inconsistent.count, one.inconsistent.total) == (120, 120)
        assert (one.win_rate.value, one.win_rate.low, one.win_rate.high) == (0.5, None, None)
        assert (one.best, one.worst) == (1, 3)


def test_pairs_that_could_not_be_read_are_counted_apart(outputs):
    with Judge(backend="scripted:unreadable:7", method="direct") as judge:
        board = rank(outputs, judge)
    assert board.n_unread > 0
    assert sum(one.n_unread for one in board.meetings) == board.n_unread
    assert "without a readable reply" in format_ranking_text(board)


def test_a_ranking_with_pairs_that_could_not_be_read_ends_with_status_3(run):
    finished = run("--method", "direct", "--no-cache", backend="scripted:unreadable:7")
    assert finished.exit_code == 3
    assert "without a readable reply" in finished.stdout
    assert run("--method", "direct", "--no-cache").exit_code == 0


def test_a_judge_that_can_never_be_read_ranks_nothing(outputs):
    with (
        Judge(backend="scripted:replies:D", method="direct") as judge,
        pytest.raises(InputError, match="no reply"),
    ):
        rank(outputs, judge)


def test_categories_have_rates_of_their_own(outputs):
    with longer_judge(method="direct") as judge:
        board = rank(outputs, judge)
    assert list(board.by_category) == ["a", "b"]
    assert [part.n_prompts for part in board.by_category.values()] == [30, 30]
    assert sum(part.n_pairs for part in board.by_category.values()) == board.asked.n_pairs
    for part in board.by_category.values():
        assert part.win_rates["high"].value > part.win_rates["low"].value


def test_the_frame_has_a_row_a_model_the_best_first(outputs):
    with longer_judge(method="direct") as judge:
        frame = rank(outputs, judge).to_frame()
    assert frame["model"].tolist() == ["high", "middle", "low"]
    assert frame["win_rate"].is_monotonic_decreasing


def test_one_command_makes_a_leaderboard_its_page_and_its_figures(run, tmp_path):
    done = run("--html", "ranking.html", "--out", "ranking.json")
    assert done.exit_code == 0, done.output
    said = " ".join(done.stdout.split())
    assert said.startswith("3 models on 60 common prompts: judged ")
    assert "stopped because" in said
    assert "high is clearly the best." in said
    found = json.loads((tmp_path / "ranking.json").read_text("utf-8"))
    assert found["schema"] == "four-token-judge/rank/1"
    assert [one["model"] for one in found["models"]] == ["high", "middle", "low"]
    assert found["judge"]["fingerprint"].startswith("scripted-longer+none/direct@scripted#")
    assert {"commit", "versions", "seed"} <= found.keys()
    assert len(found["data"]["hash"]) == 64
    page = (tmp_path / "ranking.html").read_text("utf-8")
    for words in (
        "Which model is best?",
        "high is clearly the best.",
        "Length-controlled",
        found["data"]["hash"],
    ):
        assert words in page


@pytest.mark.parametrize("content", ["[]", ""])
def test_a_file_with_nothing_in_it_is_named_and_nothing_is_ranked(run, tmp_path, content):
    empty = tmp_path / "empty.json"
    empty.write_text(content)
    done = run(str(empty))
    assert str(done.exception).endswith(
        "empty.json: nothing is in it. Leave it out, or give the one that was meant."
    )


def test_json_goes_to_standard_output_alone(run):
    done = run("--out", "-", "-q")
    assert json.loads(done.stdout)["asked"]["noun"] == "pair"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--within", "soon"], "--within: 'soon'. It must be a time such as 90s"),
        (["--out", "outputs/low.json"], "is the same file"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_judged(run, arguments, said):
    done = run(*arguments)
    assert isinstance(done.exception, InputError)
    assert said in str(done.exception)


def test_hostile_names_are_only_text(outputs, tmp_path):
    rows = [
        {
            "instruction": f"Q{n}",
            "output": "x" * (n + k),
            "generator": name,
            "category": "<i>c|\x1b[31m" + "ab"[n % 2],
        }
        for n in range(10)
        for k, name in enumerate(("<script>alert(1)</script>", "$x_1$ \x1b[2J"))
    ]
    (tmp_path / "odd.json").write_text(json.dumps(rows), encoding="utf-8")
    with longer_judge(method="direct") as judge:
        board = rank([tmp_path / "odd.json"], judge)
    page, text = format_ranking_html(board), format_ranking_text(board)
    assert "<script>" not in page
    assert "<i>c" not in page
    assert "\x1b" not in text + page


def test_the_page_of_equal_leaderboards_is_the_same(outputs):
    with longer_judge(method="direct") as judge:
        pages = {format_ranking_html(rank(outputs, judge, budget=60)) for _ in range(2)}
    assert len(pages) == 1


def test_a_long_name_stands_whole_in_the_chart(outputs):
    name = "our-own-checkpoint-with-a-long-name/of-two-lines-q4"
    names = {name: LENGTHS["low"], "high": LENGTHS["high"]}
    with longer_judge(method="direct") as judge:
        page = format_ranking_html(rank(write_files(outputs[0].parent / "long", names), judge))
    chart = page[page.index("<svg") : page.index("</svg>")]
    shown = "".join(re.findall(r"<text[^>]*>([^<]*)</text>", chart))
    assert name in shown.replace("\n", "")


def write_files(folder, lengths):
    """Outputs of models whose names are no names of files."""
    folder.mkdir()
    files = [folder / f"{number}.json" for number in range(len(lengths))]
    for file, (model, counts) in zip(files, lengths.items(), strict=True):
        rows = [
            {"instruction": f"Question {n}?", "output": "x" * count, "generator": model}
            for n, count in enumerate(counts)
        ]
        file.write_text(json.dumps(rows), encoding="utf-8")
    return files


def test_one_column_a_model_is_ranked_and_it_is_said_what_was_read(run, tmp_path):
    rows = [f"Question {n}?,{'x' * (n + 5)},{'y' * n}" for n in range(1, 41)]
    (tmp_path / "answers.csv").write_text("\n".join(["question,long,short", *rows]), encoding="utf-8")
    done = run("--map", "prompt=question,long,brief=short", files=["answers.csv"])
    assert done.exit_code == 0, done.output
    assert (
        "answers.csv: read as columns prompt=question,long,brief=short: 80 answers of 2 models."
        in done.stderr
    )
    assert "long is clearly the best." in done.stdout


def test_system_texts_and_references_reach_the_judge(tmp_path, monkeypatch):
    monkeypatch.setenv("JUDGE_CACHE", str(tmp_path / "cache"))
    rows = [{"q": f"{n}?", "x": "xxx", "y": "y", "s": "Be brief.", "r": "right"} for n in range(3)]
    file = tmp_path / "a.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    mapping = "prompt=q,system=s,reference=r,x,y"
    answers = read_answers([file], mapping, lambda line: None)
    pair, _ = answers.pair(0, 1, 0)
    assert (pair.system, pair.reference) == ("Be brief.", "right")
    with longer_judge(method="score", cache=False) as judge:
        asked = []
        graded = judge._method.graded
        monkeypatch.setattr(judge._method, "graded", lambda *given: asked.append(given[0]) or graded(*given))
        assert rank_answers(answers, judge).models == ["x", "y"]
    assert {(system, reference) for named in asked for _, system, reference in named} == {
        ("Be brief.", "right")
    }


def test_criteria_reach_a_judge_that_goes_by_them_and_another_says_that_they_do_not(run, tmp_path):
    rows = [
        {"instruction": f"{n}?", "output": model * (n + 2), "generator": model, "criteria": ["short"]}
        for n in range(4)
        for model in "xy"
    ]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    answers = read_answers(["a.jsonl"])
    with longer_judge(method="checklist", cache=False) as judge:
        verdict = judge.judge([answers.pair(0, 1, 0)[0]])[0]
    assert [step.name for step in verdict.readings["AB"].steps] == ["short"]
    unread = "4 of 4 prompts have criteria of their own, which method score does not read"
    assert unread in run("--method", "score", files=["a.jsonl"]).stderr
    assert "criteria" not in run("--method", "checklist", files=["a.jsonl"]).stderr


@pytest.mark.long
@pytest.mark.parametrize("method", [["--method", "score"], ["--method", "direct", "--budget", "20000"]])
def test_fifty_models_on_all_prompts_of_alpacaeval_take_two_minutes_and_one_gib(tmp_path, method):
    draw = random.Random(1)
    lengths = {f"model-{n:02}": [200 + 20 * n + draw.randrange(900) for _ in range(805)] for n in range(50)}
    write_outputs(tmp_path / "outputs", lengths)
    files = ["--html", "ranking.html", "--out", "ranking.json", "--ledger", "ledger.sqlite"]
    seconds, gib = cost_of_judge(
        ["rank", "outputs", "--backend", "scripted:longer", *method, *files, "--quiet"], tmp_path
    )
    found = json.loads((tmp_path / "ranking.json").read_text("utf-8"))
    assert (len(found["models"]), found["data"]["n_prompts"]) == (50, 805)
    assert seconds < 120
    assert gib < 1

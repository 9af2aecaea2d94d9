"""`judge calibrate`, and judges with a calibration or a band: from votes to reports and the gate."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pairs import FOUR_PAIRS, pair_of
from typer.testing import CliRunner

from judge import Judge
from judge.backends.scripted import ScriptedBackend, longer
from judge.cli.main import app
from judge.errors import InputError
from judge.evaluate import judge_pairs
from judge.forms.reading import read_pairs, read_votes_on
from judge.io.calibrations import SCHEMA, read_calibration
from judge.io.pairs import write_pairs
from judge.io.verdicts import read_verdicts, verdict_from_cells, verdict_to_json, write_verdicts
from judge.io.votes import write_votes
from judge.methods.direct import Direct
from judge.options import JudgeOptions, judge_options
from judge.orders import MOST_LOG_ODDS, combine, log_odds, log_odds_of_a, logistic, ruled
from judge.plugin.run import RunSettings, SuiteRun, lines_of, record_of
from judge.plugin.suite import Comparison
from judge.records import (
    Ballot,
    Calibration,
    Choice,
    HumanVote,
    Judgment,
    Order,
    Outcome,
    Rule,
    Share,
    Status,
    Unparsed,
    has_rule,
)
from judge.report.findings import findings_of, verdict_in_words
from judge.report.page import parts_of
from judge.report.summary import ReportRow, summarize
from judge.study.calibrating import FEWEST_VOTES, calibrate, format_fit
from judge.study.study import entrants_of, study_of

pytestmark = pytest.mark.slow
READER = "scripted-longer+none/score@scripted#0123456789abcdef"
PAIRS = [pair_of("word " * (n % 9 + 1), "word " * (n % 7 + 1), f"Question {n}?", f"p{n}") for n in range(80)]


def verdict_of(p_ab: float, p_ba: float, id: str = "p", judge: str = READER):
    """A verdict of two probabilities that a is better."""
    firsts = {Order.AB: p_ab, Order.BA: 1 - p_ba}
    readings = {
        order: Judgment(
            Choice.FIRST if p > 0.5 else Choice.SECOND, {Choice.FIRST: p, Choice.SECOND: 1 - p}, "", 1, 1
        )
        for order, p in firsts.items()
    }
    return combine(id, readings, judge)


def votes_for(n: int, is_right=lambda number: number % 4 != 0):
    """Verdicts that are 0.7 sure in turn of a and of b, and a vote on each, right three times of four."""
    verdicts = [verdict_of(p := 0.7 if i % 2 else 0.3, p, f"p{i}") for i in range(n)]
    said = [(i % 2 == 1) == is_right(i // 2) for i in range(n)]
    votes = [HumanVote(f"p{i}", "ann", Ballot.A if a else Ballot.B) for i, a in enumerate(said)]
    return verdicts, votes


def drawn_votes(n: int, slope: float):
    """Verdicts of all kinds, and votes of people who say A as often as a line of that slope says."""
    generator = random.Random(1)
    odds = [generator.gauss(0, 1) for _ in range(n)]
    said = [generator.random() < logistic(slope * z) for z in odds]
    verdicts = [verdict_of(logistic(z), logistic(z), f"p{i}") for i, z in enumerate(odds)]
    return verdicts, [HumanVote(f"p{i}", "ann", Ballot.A if a else Ballot.B) for i, a in enumerate(said)]


# --- a rule


def test_log_odds_are_held_where_probabilities_are_0_and_1():
    assert log_odds(0.5) == 0
    assert log_odds(logistic(2.5)) == pytest.approx(2.5)
    many = np.array([[-800.0, -2.5, 0.0], [1e-3, 2.5, 800.0]])
    assert logistic(many) == pytest.approx(np.array([[logistic(float(x)) for x in row] for row in many]))
    assert (logistic(many) + logistic(-many) == 1).all()
    assert (log_odds(1.0), log_odds(0.0)) == (pytest.approx(MOST_LOG_ODDS), pytest.approx(-MOST_LOG_ODDS))


def test_a_calibration_is_a_line_of_the_mean_log_odds():
    verdict = verdict_of(0.9, 0.6)
    rule = Rule(Calibration(READER, 0.5, 0.25), 0.5)
    made = ruled(verdict, rule, "calibrated")
    z = (log_odds(0.9) + log_odds(0.6)) / 2
    assert made.p_a == pytest.approx(logistic(0.5 * z + 0.25))
    assert (made.status, made.outcome, made.readings) == (verdict.status, Outcome.A, verdict.readings)
    assert (made.judge, made.is_undecided) == ("calibrated", False)


def test_a_place_bias_alone_changes_no_calibrated_probability():
    rule = Rule(Calibration(READER, 0.8, 0.0), 0.5)
    biased = verdict_of(logistic(1 + 2), logistic(1 - 2))
    assert ruled(biased, rule, "").p_a == pytest.approx(
        ruled(verdict_of(logistic(1), logistic(1)), rule, "").p_a
    )


def test_what_is_too_close_to_call_is_a_tie_that_says_so():
    rule = Rule(None, 0.7)
    close, clear = ruled(verdict_of(0.6, 0.7), rule, "j"), ruled(verdict_of(0.2, 0.3), rule, "j")
    assert (close.outcome, close.outcome_by_mean, close.is_undecided) == (Outcome.TIE, Outcome.TIE, True)
    assert (close.status, close.p_a) == (Status.CONSISTENT, pytest.approx(0.65))
    assert (clear.outcome, clear.outcome_by_mean, clear.is_undecided) == (Outcome.B, Outcome.B, False)


def test_a_calibrated_probability_against_both_orders_is_undecided():
    rule = Rule(Calibration(READER, 1.0, -1.5, 0.6), 0.6)
    against, same = ruled(verdict_of(0.6, 0.6), rule, "j"), ruled(verdict_of(0.4, 0.4), rule, "j")
    assert against.p_a == pytest.approx(0.25, abs=0.01)
    assert (against.outcome, against.outcome_by_mean) == (Outcome.TIE, Outcome.TIE)
    assert (against.status, against.is_undecided) == (Status.CONSISTENT, True)
    assert (same.outcome, same.outcome_by_mean, same.is_undecided) == (Outcome.B, Outcome.B, False)
    apart = ruled(verdict_of(0.7, 0.4), rule, "j")
    assert (apart.outcome, apart.outcome_by_mean, apart.is_undecided) == (Outcome.TIE, Outcome.B, False)
    assert verdict_from_cells(json.loads(json.dumps(verdict_to_json(against)))) == against


def test_equal_answers_and_unread_ones_stay_as_they_are():
    unread = combine("p", dict.fromkeys(Order, Unparsed("no verdict", "")), READER)
    assert ruled(unread, Rule(None, 0.9), "j") == replace(unread, judge="j")
    with Judge(backend="scripted:longer", calibration="", abstain_below=0.9, cache=False) as judge:
        verdict = judge.compare("Why?", "same", "same")
    assert (verdict.outcome, verdict.p_a, verdict.is_undecided) == (Outcome.TIE, 0.5, False)


def test_without_probabilities_there_is_no_rule():
    readings = dict.fromkeys(Order, Judgment(Choice.FIRST, None, "", 1, 1))
    with pytest.raises(InputError, match="gives no probabilities"):
        ruled(combine("p", readings, READER), Rule(None, 0.7), "j")


@pytest.mark.parametrize("method", ["cot", "bsm-text"])
def test_a_rule_on_a_method_without_probabilities_is_refused_before_anything_is_asked(method):
    said = f"--abstain-below: method {method} writes its verdicts and gives no probabilities"
    with pytest.raises(InputError, match=said):
        Judge(method=method, backend="scripted:longer", abstain_below=0.7, cache=False)
    with Judge(
        method="cot", backend="scripted:longer", abstain_below=0.7, samples=3, temperature=1.0
    ) as judge:
        assert judge.compare("Why?", "a longer one", "so").outcome is Outcome.A


def test_an_undecided_verdict_survives_a_file():
    verdict = ruled(verdict_of(0.55, 0.6), Rule(None, 0.7), "j")
    assert verdict_from_cells(json.loads(json.dumps(verdict_to_json(verdict)))) == verdict
    assert "undecided" not in verdict_to_json(verdict_of(0.55, 0.6))


# --- the fit


def test_underconfident_verdicts_become_as_sure_as_they_are_right():
    fit = calibrate(*votes_for(400))
    line = fit.calibration
    assert logistic(line.slope * log_odds(0.7) + line.offset) == pytest.approx(0.75, abs=0.02)
    assert line.judge == READER
    assert (fit.n_votes, fit.n_pairs, fit.n_ties) == (400, 400, 0)
    assert fit.before["ece"].value == pytest.approx(0.05, abs=1e-9)
    assert fit.slope.low < fit.slope.value < fit.slope.high


def test_equal_votes_give_equal_bytes_without_a_clock():
    first, second = (json.dumps(calibrate(*votes_for(60)).as_json()) for _ in range(2))
    assert first == second
    other, votes = votes_for(60)
    votes[0] = replace(votes[0], outcome=Ballot.TIE)
    assert calibrate(other, votes).data_hash != json.loads(first)["data_hash"]


def test_a_band_leaves_what_is_as_precise_as_asked():
    sure, votes = votes_for(200, lambda number: number % 10 != 0)
    close = [replace(verdict_of(0.52, 0.52, f"c{n}")) for n in range(100)]
    votes += [HumanVote(f"c{n}", "ann", Ballot.A if n % 2 else Ballot.B) for n in range(100)]
    fit = calibrate([*sure, *close], votes, precision=0.85)
    assert 200 <= fit.covered.count < 220  # on other questions a close one may come out a little surer
    assert fit.right.value >= 0.85
    assert 0.5 < fit.calibration.undecided_below < 0.95
    rule = Rule(fit.calibration, fit.calibration.undecided_below)
    assert {ruled(one, rule, "").is_undecided for one in close} == {True}
    assert {ruled(one, rule, "").is_undecided for one in sure} == {False}
    with pytest.raises(InputError, match=r"--precision 0.99: however sure this judge is"):
        calibrate([*sure, *close], votes, precision=0.99)


def test_it_says_how_many_votes_would_tell():
    modest = calibrate(*drawn_votes(400, slope=3.0))
    assert modest.gain["log_loss"].low > 0
    assert modest.after["ece"].value < modest.before["ece"].value / 2
    assert "These votes show that it helps" in format_fit(modest)
    right = calibrate(*drawn_votes(60, slope=1.4))
    assert right.gain["log_loss"].low < 0 < right.gain["log_loss"].value
    assert f"These votes do not show whether it helps; about {right.votes_needed:,} would." in format_fit(
        right
    )


def test_too_few_votes_are_refused_and_ties_do_not_count():
    verdicts, votes = votes_for(FEWEST_VOTES)
    assert calibrate(verdicts, votes).n_votes == FEWEST_VOTES
    votes[3] = replace(votes[3], outcome=Ballot.BOTH_BAD)
    words = r"^29 votes that are no ties on pairs with probabilities \(1 ties do not count\)\. A calibration"
    with pytest.raises(InputError, match=words):
        calibrate(verdicts, votes)


def test_votes_on_pairs_without_a_verdict_or_a_probability_are_counted():
    verdicts, votes = votes_for(60)
    assert calibrate(verdicts, votes).as_json()["n_votes_left_out"] == 0
    blank = {order: Unparsed("no verdict", "?", 1, 1) for order in Order}
    unread = combine("p60", blank, READER)
    others = [HumanVote(id, "ann", Ballot.A) for id in ("p60", "else", "typo")]
    fit = calibrate([*verdicts, unread], [*votes, *others])
    assert (fit.n_votes, fit.n_ties, fit.as_json()["n_votes_left_out"]) == (60, 0, 3)
    told = "0 ties and 3 votes on pairs without a verdict or a probability are left out"
    assert told in format_fit(fit)


def test_a_judge_that_is_wrong_more_often_than_right_is_refused():
    with pytest.raises(InputError, match="this judge's P says nothing of these votes"):
        calibrate(*votes_for(60, lambda number: number % 10 == 0))


def test_votes_on_one_question_alone_are_refused():
    verdicts, votes = votes_for(40)
    pairs = [pair_of("one", "two", "Why?", one.pair_id) for one in verdicts]
    with pytest.raises(InputError, match="all votes are on one question"):
        calibrate(verdicts, votes, pairs)


def test_two_verdicts_on_one_pair_are_refused():
    verdicts, votes = votes_for(40)
    with pytest.raises(InputError, match="two verdicts of one judge: p0"):
        calibrate([*verdicts, verdicts[0]], votes, None)


def test_it_is_of_one_judge_without_a_rule_that_gives_probabilities():
    verdicts, votes = votes_for(40)
    with pytest.raises(InputError, match="verdicts of 2 judges"):
        calibrate([*verdicts[:20], *(replace(one, judge="other") for one in verdicts[20:])], votes)
    again = [ruled(one, Rule(None, 0.6), "a+none/score+abstaining@scripted#0") for one in verdicts]
    with pytest.raises(InputError, match="calibrated already, or abstain"):
        calibrate(again, votes)
    blank = {order: Judgment(Choice.FIRST, None, "", 1, 1) for order in Order}
    with pytest.raises(InputError, match="gives no probabilities"):
        calibrate([combine(one.pair_id, blank, READER) for one in verdicts], votes)
    with pytest.raises(InputError, match="none of the 40 judged pairs has a vote"):
        calibrate(verdicts, [replace(vote, pair_id="else") for vote in votes])


# --- the command line and the judge


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with 80 pairs, verdicts of `score` that prefers longer answers, and votes that often do."""
    monkeypatch.setenv("JUDGE_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    write_pairs("pairs.jsonl", PAIRS)
    with Judge(method="score", backend="scripted:longer") as judge:
        verdicts = judge.judge(PAIRS)
    write_verdicts("verdicts.jsonl", verdicts)
    said = [
        Ballot.A if (len(pair.response_a) > len(pair.response_b)) == (n % 5 != 0) else Ballot.B
        for n, pair in enumerate(PAIRS)
    ]
    write_votes("votes.jsonl", [HumanVote(p.id, "ann", b) for p, b in zip(PAIRS, said, strict=True)])
    return tmp_path


def judged(*arguments):
    done = CliRunner().invoke(app, list(arguments))
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


CALIBRATE = ("calibrate", "verdicts.jsonl", "--votes", "votes.jsonl", "--pairs", "pairs.jsonl")
RUN = ("run", "pairs.jsonl", "--method", "score", "--backend", "scripted:longer")


def test_labels_of_another_tool_calibrate_by_the_texts_of_the_pairs(here):
    pairs = [pair for pair in PAIRS if pair.response_a != pair.response_b]
    said = [Ballot.A if n % 3 else Ballot.B for n in range(len(pairs))]
    write_votes("votes.jsonl", [HumanVote(p.id, "label", b) for p, b in zip(pairs, said, strict=True)])
    labels = [
        {"id": pair.id, "prompt": pair.prompt, "chosen": pair.response_a, "rejected": pair.response_b}
        if ballot is Ballot.A
        else {"id": pair.id, "prompt": pair.prompt, "chosen": pair.response_b, "rejected": pair.response_a}
        for pair, ballot in zip(pairs, said, strict=True)
    ]
    Path("labels.jsonl").write_text("".join(json.dumps(row) + "\n" for row in labels), "utf-8")
    texts = read_pairs("pairs.jsonl")
    assert read_votes_on("labels.jsonl", texts) == read_votes_on("votes.jsonl", texts)
    given = ("calibrate", "verdicts.jsonl", "--votes", "labels.jsonl", "--out", "my-judge.json")
    with pytest.raises(InputError, match="it calls no answer a"):
        judged(*given)
    assert "votes that are no ties" in judged(*given, "--pairs", "pairs.jsonl").stderr


def test_votes_become_a_file_and_the_file_calibrates_the_judge(here):
    told = judged(*CALIBRATE, "--out", "my-judge.json")
    values = json.loads((here / "my-judge.json").read_text("utf-8"))
    assert (values["schema"], values["adapter"], values["undecided"]) == (SCHEMA, "none", None)
    assert "On questions that it was not fitted on:" in told.stderr
    found = read_calibration("my-judge.json")
    before = read_verdicts("verdicts.jsonl")
    assert found.judge == before[0].judge == values["judge"]

    judged(*RUN, "--calibration", "my-judge.json", "--out", "after.jsonl", "-q")
    after = read_verdicts("after.jsonl")
    assert {one.judge for one in after} != {one.judge for one in before}
    assert "/score+calibrated@scripted#" in after[0].judge
    for one, other in zip(before, after, strict=True):
        if (odds := log_odds_of_a(one)) is not None:
            assert other.p_a == pytest.approx(logistic(found.slope * sum(odds) / 2 + found.offset))
        assert other.readings == one.readings


def test_a_calibration_asks_nothing_anew(here):
    judged(*CALIBRATE, "--out", "my-judge.json")
    with Judge(method="score", backend="scripted:longer", calibration="my-judge.json") as judge:
        judge.judge(PAIRS)
        assert judge.tokens_computed == 0


def test_a_service_with_the_file_of_another_judge_never_is_ready(here):
    judged(*CALIBRATE, "--out", "my-judge.json")
    with (
        Judge(method="direct", backend="scripted:longer", calibration="my-judge.json") as judge,
        pytest.raises(InputError, match="this calibration is of"),
    ):
        judge.warm_up()


def test_the_file_of_another_judge_is_one_clear_error(here):
    judged(*CALIBRATE, "--out", "my-judge.json")
    with (
        Judge(method="direct", backend="scripted:longer", calibration="my-judge.json") as judge,
        pytest.raises(
            InputError, match=r"^my-judge.json: this calibration is of .*/score@.* the judge here is"
        ),
    ):
        judge.judge(PAIRS)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not JSON"),
        ("[]", "schema is None"),
        ('{"schema": "else"}', "schema is 'else'. It must be four-token-judge/calibration/1"),
        (
            json.dumps({"schema": SCHEMA, "judge": "j", "slope": {"value": -1}, "offset": {"value": 0}}),
            "slope.value: must be a number above 0 (found: -1)",
        ),
    ],
)
def test_a_file_that_is_no_calibration_says_what_is_wrong(tmp_path, text, words):
    file = tmp_path / "bad.json"
    file.write_text(text, "utf-8")
    with pytest.raises(InputError) as caught:
        Judge(backend="scripted:longer", calibration=str(file), cache=False)
    assert str(caught.value).startswith(str(file))
    assert words in str(caught.value)


def test_abstaining_needs_no_calibration_and_is_part_of_the_fingerprint(here):
    told = judged(*RUN, "--abstain-below", "0.56", "--out", "after.jsonl")
    after = read_verdicts("after.jsonl")
    share = sum(one.is_undecided for one in after)
    assert 0 < share < len(after)
    assert f"Undecided: {100 * share / len(after):.1f} % ({share}/{len(after)})" in told.stderr
    names = set()
    for below in (None, 0.51, 0.6):
        with Judge(backend="scripted:longer", abstain_below=below, cache=False) as judge:
            names.add(judge.identity.fingerprint)
            assert has_rule(judge.identity.fingerprint) is (below is not None)
    assert len(names) == 3


@pytest.mark.parametrize(("below", "words"), [(0.4, "at least 0.5"), (1.2, "at most 1")])
def test_a_band_that_makes_no_sense_is_refused(below, words):
    with pytest.raises(InputError, match=f"abstain_below is {below}. It must be {words}"):
        judge_options(abstain_below=below)


def test_a_report_with_votes_shows_a_calibrated_judge_before_and_after(here):
    judged(*CALIBRATE, "--out", "my-judge.json")
    judged(*RUN, "--calibration", "my-judge.json", "--out", "after.jsonl", "-q")
    after = read_verdicts("after.jsonl")
    now, before = entrants_of(after)
    assert before.name == f"{now.name} before"
    assert [one.p_a for one in before.verdicts] == [one.p_a for one in read_verdicts("verdicts.jsonl")]
    assert len(entrants_of(read_verdicts("verdicts.jsonl"))) == 1
    votes = [HumanVote(p.id, "ann", Ballot.A) for p in PAIRS]
    study = study_of([now, before], votes, PAIRS, n_draws=100)
    assert study.standing(now.name).figures["brier"] != study.standing(before.name).figures["brier"]


def test_a_bench_shows_a_calibrated_judge_before_and_after_and_asks_nothing_twice(here):
    judged(*CALIBRATE, "--out", "my-judge.json")
    bench = ("bench", "pairs.jsonl", "--votes", "votes.jsonl", "--calibration", "my-judge.json")
    own = ("--method", "score", "--backend", "scripted:longer")
    told = judged(*bench, *own, "--judge", "name=mine", "--out", "bench.json")
    result = json.loads((here / "bench.json").read_text("utf-8"))
    now, before = (one for one in result["judges"] if one["kind"] == "judge")
    assert (now["name"], before["name"]) == ("mine", "mine before")
    assert now["identity"]["method"] == "score+calibrated"
    assert before["identity"]["method"] == "score"
    assert now["figures"]["ece"]["value"] != before["figures"]["ece"]["value"]
    assert told.stderr.count("66 of 80 verdicts from the ledger") == 2


def test_a_precision_is_told_by_the_side_of_p_and_by_the_outcome():
    verdicts, votes = votes_for(100)
    same = calibrate(verdicts, votes, precision=0.7)
    assert same.strict == Share(74, 100)
    assert "are right by the side of P(A), the mean of both orders\n" in format_fit(same)
    assert "By the outcome" not in format_fit(same)
    # every second question in other words: the mean is as sure, and the orders disagree
    apart = [verdict_of(0.9, 0.376, one.pair_id) if one.p_a > 0.5 else one for one in verdicts]
    fit = calibrate(apart, votes, precision=0.7)
    assert fit.strict.total == 50
    assert fit.covered == Share(100, 100)
    assert "By the outcome, on which both orders agree: 50.0 % (50/100) are left, " in format_fit(fit)


# --- reports and the gate


def test_a_report_counts_the_undecided_apart():
    rule, name = Rule(None, 0.7), "a+none/direct+abstaining@scripted#0123456789abcdef"
    verdicts = [ruled(verdict_of(p, p, f"p{n}"), rule, name) for n, p in enumerate((0.9, 0.6, 0.45, 0.1))]
    report = summarize(verdicts)
    found = {one.label: one.value for one in findings_of(report)}
    assert found["Undecided"] == "50.0 % (2/4)"
    assert found["Who wins"] == "A 1, B 1, tie 2"
    assert [verdict_in_words(ReportRow(one)) for one in verdicts] == ["A", "undecided", "undecided", "B"]
    assert ("undecided", "undecided", 2) in parts_of(report.total)
    assert "Undecided" not in {one.label for one in findings_of(summarize([verdict_of(0.6, 0.6)]))}


def test_a_report_counts_no_pair_twice_and_undecided_is_not_right():
    rule, name = Rule(None, 0.7), "a+none/direct+abstaining@scripted#0123456789abcdef"
    pairs = [replace(pair, metadata={"gold": "tie"}) for pair in FOUR_PAIRS]
    # sure, inconsistent and undecided, consistent and undecided, inconsistent alone
    made = zip(pairs, ((0.9, 0.9), (0.6, 0.4), (0.6, 0.6), (0.95, 0.49)), strict=True)
    report = summarize([ruled(verdict_of(*ps, pair.id), rule, name) for pair, ps in made], pairs)
    found = {one.label: one for one in findings_of(report)}
    assert found["Who wins"].meaning.endswith(
        "the 2 inconsistent and 1 consistent but undecided count as ties"
    )
    assert found["Who wins"].value == "A 1, B 0, tie 3"
    assert found["Gold"].value == "0.0 % (0/4)"
    assert "inconsistent, undecided or unparsed is wrong" in found["Gold"].meaning


def suite(p_of_new: list[float], **settings) -> SuiteRun:
    """A run that compared these, undecided below 0.7."""
    run = SuiteRun(RunSettings(backend="scripted:longer", **settings))
    for n, p in enumerate(p_of_new):
        verdict = ruled(verdict_of(p, p), Rule(None, 0.7), READER)
        run.add(f"test_{n}", [record_of(Comparison(FOUR_PAIRS[0], verdict), f"c{n}")])
    return run


def test_to_the_gate_an_undecided_verdict_is_no_evidence_either_way():
    with_close, without = (
        suite([0.1] * 20 + [0.6] * 60, gate="not-worse:0.05"),
        suite([0.1] * 20, gate="not-worse:0.05"),
    )
    assert with_close.gate() == without.gate()
    assert with_close.is_failed
    assert "undecided: 75.0 % (60/80), too close to call, left out of every rate" in lines_of(with_close)
    assert "80 comparisons: the new answer won 0, the approved one 20, 0 ties" in lines_of(with_close)


def test_a_run_of_undecided_verdicts_alone_cannot_tell():
    run = suite([0.6] * 5, gate="not-worse:0.05")
    assert run.is_failed
    assert run.lack == "all 5 changed answers are undecided"


def test_one_undecided_verdict_beside_unchanged_answers_fails_no_suite():
    run = suite([0.6], gate="not-worse:0.05")
    for n in range(20):
        same = judge_pairs([pair_of("4", "4")], Direct(ScriptedBackend(longer)))[0]
        run.add(f"same_{n}", [record_of(Comparison(pair_of("4", "4"), same), f"same {n}")])
    assert run.lack == ""
    assert not run.is_failed


def test_the_file_of_a_calibration_is_read_once_for_all_that_ask_for_the_rule(here):
    judged(*CALIBRATE, "--out", "my-judge.json")
    options = JudgeOptions(calibration="my-judge.json")
    rule = options.rule
    (here / "my-judge.json").unlink()
    assert options.rule is rule
    with pytest.raises(InputError, match=r"my-judge\.json"):
        _ = JudgeOptions(calibration="my-judge.json").rule

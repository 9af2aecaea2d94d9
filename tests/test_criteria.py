"""Criteria of your own: as lines, in a judge, in pairs, in verdicts and reports."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pairs import FOUR_PAIRS, pair_of
from test_methods import Asked, is_branch, prefers_four, shown_text
from typer.testing import CliRunner

from judge.api import Judge
from judge.backends import load_backend
from judge.backends.scripted import text_of
from judge.cli.main import app
from judge.drawing.steps import score_table
from judge.errors import InputError, JudgeError
from judge.evaluate import judge_pairs
from judge.forms.reading import read_pairs
from judge.io.criteria import MAX_CRITERIA, criteria_given, criterion_of, line_of, read_criteria
from judge.io.frames import verdicts_to_frame
from judge.io.pairs import pair_to_json, write_pairs
from judge.io.rows import Wrong
from judge.io.verdicts import read_verdicts, write_verdicts
from judge.ledger.ledger import Ledger
from judge.methods import MethodSettings, load_method
from judge.methods.bsm import whole_weights
from judge.options import judge_of_spec, judge_options
from judge.progress import silent
from judge.records import Criterion, Order, Outcome, Status
from judge.report.criteria import criteria_of, leads_of
from judge.report.page import format_html, format_json, format_markdown, format_text
from judge.report.summary import summarize

PRICE = Criterion("price", "names the price", 2.0, ("no price", "the exact price"))
SHORT = Criterion("short", "is short")
POLICY = """
# What we want of an answer.
price: names the price | weight 2 | 1 = no price | 5 = the exact price

short: is short
"""
PRICED = pair_of("It costs 5 euros, and there is much more to say.", "Ask.", "What is a ticket?", "ticket")
FRIENDLY = pair_of("Ask.", "It costs 5 euros, and much more.", "What is a bike?", "bike")


def by_policy(prompt):
    """A judge that sees prices, and what is short: 5 where the criterion is met, else 1."""
    words = shown_text(prompt)
    assert not is_branch(prompt), "it was asked for a plan"
    texts = {"A": text_of(prompt, "first"), "B": text_of(prompt, "second")}
    is_met = {
        side: "euros" in text if "Criterion: price" in words else len(text) < 10
        for side, text in texts.items()
    }
    return f"[[{5 if is_met[prompt.reply_start[6]] else 1}]]"


def judged(pairs, criteria=(PRICE, SHORT), script=by_policy):
    asked = Asked(script)
    return judge_pairs(pairs, load_method("bsm", asked, MethodSettings(criteria=criteria))), asked


# --- as lines


def test_a_file_of_lines_is_read_with_weights_and_words_for_the_scale(tmp_path):
    (tmp_path / "policy.txt").write_text(POLICY, encoding="utf-8")
    assert read_criteria(tmp_path / "policy.txt") == (PRICE, SHORT)
    (tmp_path / "policy.txt").write_text(POLICY.replace("\n", "\r\n"), encoding="utf-16")
    assert read_criteria(tmp_path / "policy.txt") == (PRICE, SHORT)


words = st.text("abc é.,(", min_size=1, max_size=12).map(str.strip).filter(bool)
weights = st.integers(1, 10_000).map(lambda hundredths: hundredths / 100)
criteria = st.builds(Criterion, words, words | st.just(""), weights, st.none() | st.tuples(words, words))


@given(criteria)
def test_a_criterion_is_the_one_that_its_line_says(criterion):
    criterion = replace(
        criterion,
        name=" ".join(criterion.name.split()),
        description=" ".join(criterion.description.split()),
    )
    assert criteria_given([criterion.line]) == (criterion,)
    assert criteria_given([criterion]) == (criterion,)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "policy.txt: no criterion found. Write one a line: name: description | weight 2 | "),
        ("# nothing\n\n", "policy.txt: no criterion found. "),
        (
            "a\n\nA: again\n",
            "policy.txt:3: the criterion 'A' is already in policy.txt:1. It may be there only",
        ),
        (
            "x | weight -1\n",
            "policy.txt:1: weight is '-1'. It must be a number above 0, at most 100, with two",
        ),
        ("x | weight 0\n", "policy.txt:1: weight is '0'. "),
        ("x | weight 1.005\n", "policy.txt:1: weight is '1.005'. "),
        ("x | weight nan\n", "policy.txt:1: weight is 'nan'. "),
        ("x | weight 1e2\n", "policy.txt:1: weight is '1e2'. "),
        ("x | weight 2 | weight 3\n", "policy.txt:1: 'weight 3' is not understood. Write one a line: "),
        ("x | wieght 2\n", "policy.txt:1: 'wieght 2' is not understood. Write one a line: "),
        (
            "x: names it, weight 3\n",
            "policy.txt:1: 'x: names it, weight 3': a weight stands behind a bar. Write one a line: ",
        ),
        ("names it, weight 3\n", "policy.txt:1: 'names it, weight 3': a weight stands behind a bar. "),
        ("names it (weight: 2)\n", "policy.txt:1: 'names it (weight: 2)': a weight stands behind a bar. "),
        ("weight 2\n", "policy.txt:1: 'weight 2': a weight stands behind a bar. "),
        ("x | 1 = bad\n", "policy.txt:1: the scale names 1 only. It must say what 1 and what 5 means."),
        ("price:\n", "policy.txt:1: nothing stands after 'price:'. "),
        (": is short\n", "policy.txt:1: the criterion has no name. "),
        ("nul \x00\n", "policy.txt:1: 'nul \\x00' is not one line of text. "),
        ("".join(f"c{n}\n" for n in range(11)), "policy.txt: 11 criteria. There may be 10 at most: each is "),
        (b"price\n\xff\xfa\n", "policy.txt:2: byte 0xff is not UTF-8. Save the file as UTF-8."),
    ],
)
def test_a_bad_file_is_one_line_that_says_where_and_what_is_right(tmp_path, monkeypatch, text, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "policy.txt").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(JudgeError) as caught:
        judge_options(criteria="policy.txt")
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_every_bad_line_of_a_file_is_named(tmp_path):
    (tmp_path / "p.txt").write_text("a | weight x\nb\nc |\n", encoding="utf-8")
    with pytest.raises(JudgeError) as caught:
        read_criteria(tmp_path / "p.txt")
    assert [line.partition("p.txt:")[2][:2] for line in str(caught.value).splitlines()] == ["1:", "3:"]


@pytest.mark.parametrize(
    ("criteria", "message"),
    [
        (7, "criteria is int. It must be a file's name, or a list of lines."),
        (["good", 7], "criterion 2: a criterion is a number. It must be a line of text."),
        (["two\nlines"], "criterion 1: 'two\\nlines' is not one line of text. "),
        (["same", "SAME"], "criterion 2: the criterion 'SAME' is already in criterion 1. "),
        ("no-such-file.txt", "no-such-file.txt: No such file or directory."),
    ],
)
def test_what_is_no_criterion_is_named_in_python_too(criteria, message):
    with pytest.raises(InputError) as caught:
        Judge(criteria=criteria, backend="scripted:longer", cache=False)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("weight", [0, -1, 101, float("nan"), 0.333, "2", True])
def test_a_criterion_has_a_weight_that_counts(weight):
    with pytest.raises(ValueError, match="weight"):
        Criterion("x", weight=weight)


# --- in a judge


@pytest.mark.parametrize("name", ["bsm", "bsm-text"])
def test_given_criteria_are_asked_in_the_place_of_a_plan(name):
    asked = Asked(lambda prompt: prefers_four(prompt))
    method = load_method(name, asked, MethodSettings(criteria=(PRICE, SHORT)))
    method.prepare([pair_of()])
    [verdict] = judge_pairs([pair_of()], method)
    assert not any(map(is_branch, asked.prompts))
    assert [step.name for step in verdict.readings[Order.AB].steps] == [str(PRICE), str(SHORT)]
    said = [shown_text(prompt) for prompt in asked.prompts]
    assert all("1 means: no price\n5 means: the exact price" in text for text in said if "price:" in text)
    assert any("Criterion: short: is short\n" in text for text in said)
    assert not any("weight" in text for text in said)


def test_weights_enter_the_sums_the_verdict_and_its_probability():
    [verdict], _ = judged([PRICED])
    assert (verdict.outcome, verdict.p_a) == (Outcome.A, 1.0)  # 2 * 5 + 1 to 2 * 1 + 5
    assert verdict.readings[Order.AB].raw == "11.00 : 7.00"
    assert [step.weight for step in verdict.readings[Order.BA].steps] == [2.0, 1.0]
    [other], _ = judged([PRICED], (replace(PRICE, weight=0.5), SHORT))
    assert (other.outcome, other.p_a) == (Outcome.B, 0.0)
    [even], _ = judged([PRICED], (replace(PRICE, weight=0.1), replace(SHORT, weight=0.1)))
    assert (even.outcome, even.p_a) == (Outcome.TIE, 0.5)
    assert even.readings[Order.AB].raw == "0.60 : 0.60"


@given(st.lists(weights, min_size=1, max_size=6))
def test_whole_weights_have_the_same_proportions(given_weights):
    whole = whole_weights(given_weights)
    for weight, times in zip(given_weights, whole, strict=True):
        assert weight / given_weights[0] == pytest.approx(times / whole[0])


def test_one_criterion_and_ten_are_judged():
    [one], _ = judged([PRICED], (PRICE,))
    ten, _ = judged([PRICED], tuple(Criterion(f"short {n}") for n in range(MAX_CRITERIA)))
    assert (one.outcome, ten[0].outcome) == (Outcome.A, Outcome.B)


def test_every_part_of_the_criteria_is_in_the_fingerprint_and_without_them_it_is_as_ever():
    backend = load_backend("scripted:first")

    def fingerprint(name, *given):
        return load_method(name, backend, MethodSettings(criteria=given)).identity.fingerprint

    kinds = [
        (),
        (PRICE,),
        (SHORT, PRICE),
        (PRICE, SHORT),
        (replace(PRICE, weight=1.0),),
        (replace(PRICE, scale=None),),
        (replace(PRICE, description="has a price"),),
    ]
    found = [fingerprint(name, *kind) for name in ("bsm", "bsm-text") for kind in kinds]
    assert len(set(found)) == len(found)
    one, two = criteria_given(["price: x; tone: y"]), criteria_given(["price: x", "tone: y"])
    assert fingerprint("bsm", *one) != fingerprint("bsm", *two)
    identity = load_method("bsm", backend).identity
    assert (identity.letters, identity.decoding) == ("12345", "greedy, at most 256 tokens")
    by = load_method("bsm", backend, MethodSettings(criteria=(PRICE, SHORT))).identity
    assert by.letters == f"12345 by {PRICE.line}; {SHORT.line}"
    assert by.decoding == "choice"  # no plan is written


def test_criteria_make_checklist_the_default_and_other_methods_refuse_them():
    assert judge_options(criteria=["x"]).asked_by == "checklist"
    for method, asked_by in (("bsm", "bsm"), ("slow", "bsm"), ("bsm-text", "bsm-text")):
        assert judge_options(criteria=["x"], method=method).asked_by == asked_by
    for method, words in (("direct", "method direct does not judge by"), ("auto", "the fast judge of auto")):
        options = judge_options(method=method, criteria=["x"], backend="scripted:first")
        with pytest.raises(InputError, match=f"^--criteria: .*{words}"):
            options.load(silent, None)
    sampled = judge_options(criteria=["x"], samples=3, temperature=0.7, backend="scripted:first")
    with pytest.raises(InputError, match="nothing to sample"):
        sampled.load(silent, None)


def test_a_spec_names_a_file_of_criteria(tmp_path):
    (tmp_path / "policy.txt").write_text(POLICY, encoding="utf-8")
    _, options = judge_of_spec(f"criteria={tmp_path / 'policy.txt'},method=bsm", judge_options())
    assert options.method_settings.criteria == (PRICE, SHORT)


def test_a_judge_in_python_takes_a_file_or_lines(tmp_path):
    (tmp_path / "policy.txt").write_text(POLICY, encoding="utf-8")
    make = partial(Judge, backend="scripted:longer", cache=False)
    with make(criteria=tmp_path / "policy.txt") as by_file, make(criteria=POLICY.split("\n")) as by_lines:
        assert by_file.identity == by_lines.identity
        verdict = by_file.compare("What is a ticket?", "It costs 5 euros.", "Ask.")
    assert verdict.outcome is Outcome.A
    assert len(verdict.readings[Order.AB].steps) == 2


# --- with a pair


def test_a_pairs_own_criteria_go_before_those_of_the_judge():
    own = replace(PRICED, criteria=(SHORT,))
    verdicts, _ = judged([own, FRIENDLY], (PRICE,))
    assert [verdict.outcome for verdict in verdicts] == [Outcome.B, Outcome.B]
    assert [list(leads_of(verdict)) for verdict in verdicts] == [[str(SHORT)], [str(PRICE)]]


def test_pairs_with_and_without_criteria_are_judged_in_one_run_and_only_the_others_are_planned():
    asked = Asked(prefers_four)
    pairs = [replace(FOUR_PAIRS[0], criteria=(PRICE,)), *FOUR_PAIRS[1:]]
    method = load_method("bsm", asked)
    method.prepare(pairs)
    verdicts = judge_pairs(pairs, method)
    planned = [prompt for prompt in asked.prompts if is_branch(prompt)]
    assert len(planned) == 3
    assert [len(verdict.readings[Order.AB].steps) for verdict in verdicts] == [1, 4, 4, 4]
    assert verdicts[0].judge == verdicts[1].judge


def test_the_content_hash_has_a_pairs_criteria_and_is_as_before_without_them():
    plain = pair_of()
    assert plain.content_hash == "c1b04941469845aed5baabb2b552e8fbb7f594f54e0f4e56702af06276508c65"
    hashes = {replace(plain, criteria=own).content_hash for own in ((PRICE,), (SHORT,), (PRICE, SHORT))}
    assert len(hashes | {plain.content_hash}) == 4


@pytest.mark.parametrize("ending", ["jsonl", "csv"])
def test_criteria_are_a_column_of_pair_files(tmp_path, ending):
    lines = f"{PRICE.line}\n{SHORT.line}"
    row = {"id": "x", "prompt": "p", "response_a": "a", "response_b": "b", "criteria": lines}
    text = json.dumps(row) + "\n"
    if ending == "csv":
        text = ",".join(row) + "\n" + ",".join(f'"{value}"' for value in row.values()) + "\n"
    (tmp_path / f"pairs.{ending}").write_text(text, encoding="utf-8")
    [pair] = read_pairs(tmp_path / f"pairs.{ending}")
    assert (pair.criteria, dict(pair.metadata)) == ((PRICE, SHORT), {})
    write_pairs(tmp_path / "again.jsonl", [pair])
    assert read_pairs(tmp_path / "again.jsonl") == [pair]
    assert pair_to_json(pair)["criteria"] == lines
    assert "criteria" not in pair_to_json(replace(pair, criteria=()))


@pytest.mark.parametrize(
    ("cell", "found"),
    [
        (None, ()),
        ("", ()),
        ([], ()),
        ([PRICE.line, "short: is short"], (PRICE, SHORT)),
        (json.dumps([PRICE.line, "short: is short"]), (PRICE, SHORT)),
        ('[{"name": "short", "description": "is short"}]', (SHORT,)),
        ("[short]", (Criterion("[short]"),)),
        ({"short": "is short"}, (SHORT,)),
        ([{"short": "is short"}], (SHORT,)),
        ([{"name": "short", "description": "is short"}], (SHORT,)),
        ('{"name": "short", "description": "is short"}', (SHORT,)),
        ('{"short": "is short"}', (SHORT,)),
        ("short: is\u2028short", (SHORT,)),
        (
            {
                "name": "price",
                "description": "names the price",
                "weight": 2.0,
                "1": "no price",
                "5": "the exact price",
            },
            (PRICE,),
        ),
    ],
)
def test_a_cell_of_criteria_may_be_text_a_list_or_descriptions_by_name(tmp_path, cell, found):
    row = {"prompt": "p", "response_a": "a", "response_b": "b", "criteria": cell}
    (tmp_path / "pairs.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    [pair] = read_pairs(tmp_path / "pairs.jsonl")
    assert pair.criteria == found


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        (3, "pairs.jsonl:1: criteria is a number. It must be text, or a list of lines."),
        ({"helpful": 0.7}, "pairs.jsonl:1: criteria, helpful is a number. It must be text."),
        (
            [{"name": "a", "rubric": "b"}],
            "pairs.jsonl:1: a criterion has the key 'rubric'. It may have name, de",
        ),
        (["a", 3], "pairs.jsonl:1: criteria, line 2: a criterion is a number."),
        ('["a", 3]', "pairs.jsonl:1: criteria, line 2: a criterion is a number."),
        ("a\na", "pairs.jsonl:1: criteria, line 2: the criterion 'a' is already in criteria, line 1."),
        ("# none", "pairs.jsonl:1: criteria: no criterion found."),
    ],
)
def test_a_bad_cell_of_criteria_names_its_row_and_line(tmp_path, monkeypatch, cell, message):
    monkeypatch.chdir(tmp_path)
    row = {"prompt": "p", "response_a": "a", "response_b": "b", "criteria": cell}
    (tmp_path / "pairs.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    with pytest.raises(JudgeError) as caught:
        read_pairs("pairs.jsonl")
    assert str(caught.value).startswith(message)


def test_a_table_of_verdicts_has_criteria_where_a_pair_has_some():
    pairs = [replace(PRICED, criteria=(PRICE, SHORT)), FRIENDLY]
    verdicts, _ = judged(pairs)
    frame = verdicts_to_frame(verdicts, pairs)
    assert frame["criteria"].isna().tolist() == [False, True]
    assert frame["criteria"][0] == f"{PRICE.line}\n{SHORT.line}"
    assert "criteria" not in verdicts_to_frame(verdicts[1:], [FRIENDLY])


def test_criteria_that_a_method_does_not_read_are_told():
    pairs = [replace(PRICED, criteria=(SHORT,)), FRIENDLY]
    with Judge(backend="scripted:longer", cache=False) as fast:
        fast.judge(pairs)
        assert fast.notice == (
            "1 of 2 pairs have criteria of their own, which method direct does not read: "
            "bsm, bsm-text and checklist do."
        )
    with Judge(backend="scripted:longer", method="slow", cache=False) as slow:
        slow.judge(pairs)
        assert slow.notice == ""


# --- in verdicts and reports


def test_verdicts_keep_scores_and_weights_in_files_and_in_the_ledger(tmp_path):
    pairs = [PRICED, FRIENDLY]
    verdicts, _ = judged(pairs)
    write_verdicts(tmp_path / "v.jsonl", verdicts)
    assert read_verdicts(tmp_path / "v.jsonl") == verdicts
    steps = json.loads((tmp_path / "v.jsonl").read_text("utf-8").splitlines()[0])["orders"]["AB"]["steps"]
    assert [(step["scores"], step.get("weight")) for step in steps] == [([5.0, 1.0], 2.0), ([1.0, 5.0], None)]
    with Ledger(tmp_path / "l.sqlite") as ledger:
        method = load_method("bsm", Asked(by_policy), MethodSettings(criteria=(PRICE, SHORT)))
        assert judge_pairs(pairs, method, ledger) == judge_pairs(pairs, method, ledger)


@pytest.mark.parametrize("weight", [0, -1, 101, True, "2"])
def test_a_step_of_another_weight_is_refused(tmp_path, weight):
    verdicts, _ = judged([PRICED])
    write_verdicts(tmp_path / "v.jsonl", verdicts)
    text = (
        (tmp_path / "v.jsonl").read_text("utf-8").replace('"weight": 2.0', f'"weight": {json.dumps(weight)}')
    )
    (tmp_path / "v.jsonl").write_text(text, encoding="utf-8")
    with pytest.raises(JudgeError, match=r"steps\[0\], weight is .*It must be a number above 0"):
        read_verdicts(tmp_path / "v.jsonl")


def test_the_table_of_scores_has_weights_and_weighted_sums():
    [verdict], _ = judged([PRICED])
    table = score_table(verdict, 100).splitlines()
    assert " ".join(table[2].split()) == "price: names the price (weight 2) 5.00 1.00 5.00 1.00"
    assert table[-1].split() == ["sum", "11.00", "7.00", "11.00", "7.00"]


def test_a_criterion_decides_where_the_answer_ahead_would_not_be_without_it():
    both = pair_of("It costs 5 euros.", "No idea whatsoever.", "How much?", "both")
    verdicts, _ = judged([PRICED, FRIENDLY, both])
    found = criteria_of(verdicts)
    assert list(found) == [str(PRICE), str(SHORT)]
    price, short = found.values()
    assert (price.weight, price.n_pairs, price.mean_lead) == (2.0, 3, 8.0)
    assert {side.value: share.count for side, share in price.wins.items()} == {"A": 2, "B": 1, "TIE": 0}
    assert (price.decides.count, price.decides.total, price.against.count) == (3, 3, 0)
    assert (short.decides.count, short.against.count, short.against_ids) == (0, 2, ("ticket", "bike"))
    assert short.wins[Outcome.TIE].count == 1


def test_criteria_that_a_judge_planned_are_not_compared():
    verdicts = judge_pairs(FOUR_PAIRS, load_method("bsm", load_backend("scripted:longer")))
    assert criteria_of(verdicts) == {}
    report = summarize(verdicts)
    assert "Criteria" not in format_markdown(report)
    assert "by_criterion" not in format_json(report)


def test_a_verdict_that_could_not_be_read_has_no_leads():
    verdicts, _ = judged([PRICED], script=lambda prompt: "no idea")
    assert verdicts[0].status is Status.UNPARSED
    assert criteria_of(verdicts) == {}


def test_samples_of_one_criterion_are_one_row():
    settings = MethodSettings(criteria=(PRICE, SHORT), temperature=0.7)
    verdicts = judge_pairs([PRICED], load_method("bsm-text", Asked(prefers_four), settings, samples=3))
    assert list(criteria_of(verdicts)) == [str(PRICE), str(SHORT)]


def test_every_format_of_a_report_says_which_criteria_decide_and_where_they_disagree():
    verdicts, _ = judged([PRICED, FRIENDLY])
    report = summarize(verdicts, [PRICED, FRIENDLY])
    for text in (format_text(report, width=160), format_markdown(report), format_html(report)):
        for words in ("price: names the price", "Decides", "100 % (2/2)", "ticket, bike"):
            assert words in text
    values = json.loads(format_json(report))
    assert values["by_criterion"][str(SHORT)]["against"] == {"count": 2, "total": 2, "value": 1.0}
    assert values["by_criterion"][str(SHORT)]["against_ids"] == ["ticket", "bike"]
    assert values["pairs"][0]["criteria"][str(PRICE)] == {"a": 5.0, "b": 1.0, "weight": 2.0}
    assert "names the price (weight 2)" in format_html(report)  # the scores of a pair


def test_hostile_names_of_criteria_are_text_in_every_report():
    evil = Criterion("<script>alert(1)</script> [x](y)", "\u202e\x1b[31m")
    [verdict], _ = judged([PRICED], (evil,), lambda prompt: "[[3]]")
    report = summarize([verdict])
    assert "<script>alert" not in format_html(report)
    for text in (format_text(report), format_markdown(report), format_html(report)):
        assert "\x1b" not in text
        assert "\u202e" not in text


# --- on the command line


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JUDGE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "100")
    (tmp_path / "policy.txt").write_text(POLICY, encoding="utf-8")
    write_pairs("pairs.jsonl", [PRICED, FRIENDLY])
    return tmp_path


def ran(*arguments):
    return CliRunner().invoke(app, [*arguments, "--backend", "scripted:longer"])


def test_the_command_line_takes_a_file_or_criteria_one_by_one(here):
    pair = ("compare", "--prompt", "Why?", "--a", "four", "--b", "5", "--quiet")
    by_file = ran(*pair, "--criteria", "policy.txt")
    assert by_file.exit_code == 0, by_file.output
    assert "price: names the price (weight 2)" in by_file.stdout
    one_by_one = ran(*pair, "--criterion", "cites a source", "--criterion", "tone: is friendly", "--json")
    verdict = json.loads(one_by_one.stdout)
    assert [step["name"] for step in verdict["orders"]["AB"]["steps"]] == [
        "cites a source",
        "tone: is friendly",
    ]
    both = ran(*pair, "--criteria", "policy.txt", "--criterion", "x")
    assert str(both.exception) == "--criteria and --criterion: give one of the two."


def test_a_run_says_which_criterion_decides(here):
    done = ran("run", "pairs.jsonl", "--criteria", "policy.txt", "--out", "v.jsonl")
    assert done.exit_code == 0, done.output
    assert "Decides: " in done.stderr


def test_a_weight_of_hundreds_of_digits_is_refused_as_any_other_that_is_too_large():
    with pytest.raises(Wrong, match=r"weight is '999.*It must be a number above 0, at most 100"):
        criterion_of(line_of({"name": "price", "weight": int("9" * 400)}))

from __future__ import annotations

from pathlib import Path

import pytest
from pairs import HOSTILE, pair_of

from judge.backends import Completion, load_backend
from judge.methods import MethodSettings
from judge.methods.asking import answer_values
from judge.methods.bsm import render_branch, render_score, render_solve
from judge.methods.cot import ChainOfThought
from judge.methods.direct import render_direct
from judge.methods.dual import render_dual
from judge.methods.rar import RephraseAndRespond, render_judge, render_rephrase
from judge.methods.s2a import render_answer, render_question
from judge.methods.score import render_score as render_grade
from judge.methods.voting import render_usc
from judge.prompts import fill, fingerprint_of
from judge.prompts.marks import unmarked
from judge.records import (
    Choice,
    Criterion,
    Judgment,
    Message,
    Order,
    Pair,
    Prompt,
    Span,
    Step,
    sha256_of_json,
)

GOLDEN = Path(__file__).parent / "golden"


def text_of(prompt: Prompt) -> str:
    parts = [f"<{role}>\n" + "".join(span.text for span in spans) for role, spans in prompt.messages]
    return "\n".join([*parts, f"<reply>\n{prompt.reply_start}?{prompt.reply_end}\n"])


TWO_TURNS = Pair(
    "turns",
    (
        Message("user", "Name a river."),
        Message("assistant", "Nile"),
        Message("user", "Another?"),
        Message("assistant", "Po"),
    ),
    (
        Message("user", "Name a river."),
        Message("assistant", "Rhine"),
        Message("user", "Another?"),
        Message("assistant", "Oder"),
    ),
)
SHARED_TURNS = Pair(
    "shared",
    (
        Message("user", "Name a river."),
        Message("assistant", "Nile"),
        Message("user", "Another?"),
        Message("assistant", "Po"),
    ),
    (
        Message("user", "Name a river."),
        Message("assistant", "Nile"),
        Message("user", "Another?"),
        Message("assistant", "Oder"),
    ),
)
COT = ChainOfThought(load_backend("scripted:first"))
COT_TIES = ChainOfThought(load_backend("scripted:first"), MethodSettings(ties=True))
RAR = RephraseAndRespond(load_backend("scripted:first"))
WORDS = Completion(" Which number is the sum of two and two?\n", 10, 10, is_ended=True)
CRITERION = Criterion("Correctness", "gives the right number")
SCALED = Criterion("Price", "names the price", 2.0, ("no price", "the exact price"))
SAMPLES = [
    Judgment(Choice.FIRST, None, "A is right. [[A]]", 10, 5),
    Judgment(Choice.SECOND, None, "2.00 : 4.00", 10, 5, steps=(Step("Correctness", "Score A: 2", 9, 4),)),
]
RENDERED = {
    "direct": render_direct(pair_of(), Order.AB, ties=False),
    "direct_swapped": render_direct(pair_of(), Order.BA, ties=False),
    "direct_ties": render_direct(pair_of(), Order.AB, ties=True),
    "direct_all": render_direct(pair_of(reference="Four.", system="Be brief."), Order.AB, ties=False),
    "direct_two_turns": render_direct(TWO_TURNS, Order.AB, ties=False),
    "direct_shared_turns": render_direct(SHARED_TURNS, Order.BA, ties=False),
    "cot": COT.render(pair_of(), Order.AB),
    "cot_ties_all": COT_TIES.render(pair_of(reference="Four.", system="Be brief."), Order.BA),
    "rar": RAR.render(pair_of(), Order.AB),
    "rar_rephrase": render_rephrase(pair_of(system="Be brief.")),
    "rar_judge": render_judge(pair_of(reference="Four."), Order.BA, WORDS.text.strip(), ties=True),
    "s2a_question": render_question(pair_of()),
    "s2a_question_two_turns": render_question(TWO_TURNS),
    "s2a_answer": render_answer(pair_of(), "4", "response a"),
    "bsm_branch": render_branch(pair_of()),
    "bsm_branch_two_turns": render_branch(TWO_TURNS),
    "bsm_score": render_score(pair_of(reference="Four."), Order.AB, CRITERION, "B"),
    "bsm_solve": render_solve(pair_of(reference="Four."), Order.BA, CRITERION),
    "bsm_score_scale": render_score(pair_of(), Order.AB, SCALED, "A"),
    "bsm_solve_scale": render_solve(pair_of(), Order.AB, SCALED),
    "score": render_grade(pair_of(), Order.AB, 0),
    "score_all": render_grade(pair_of(reference="Four.", system="Be brief."), Order.BA, 0),
    "score_two_turns": render_grade(TWO_TURNS, Order.AB, 1),
    "dual": render_dual(pair_of(), Order.AB, ties=False),
    "dual_ties": render_dual(pair_of(), Order.BA, ties=True),
    "yes": fill("yes", answer_values(TWO_TURNS.conversation_a, "Be brief.", None)),
    "request": fill("request", {"answer": Span("4", "first")}),
    "usc": render_usc(pair_of(), Order.AB, SAMPLES),
}


@pytest.mark.parametrize("name", RENDERED)
def test_a_prompt_reads_exactly_as_its_golden_file(name):
    """A prompt change is a model change: if it fails on purpose, write the golden file anew and say so."""
    assert text_of(RENDERED[name]) == (GOLDEN / f"{name}.txt").read_text(encoding="utf-8")


def test_the_fingerprint_is_a_hash_over_the_file_and_all_that_it_includes():
    import hashlib

    import judge.prompts

    folder = Path(judge.prompts.__file__).parent
    names = ["direct", "pair"]
    hashes = [[name, hashlib.sha256((folder / f"{name}.txt").read_bytes()).hexdigest()] for name in names]
    assert fingerprint_of("direct") == sha256_of_json(hashes)


@pytest.mark.parametrize("text", HOSTILE)
def test_text_of_a_pair_reaches_the_prompt_as_it_is_but_for_our_marks_and_changes_nothing_else(text):
    prompt = render_direct(pair_of(response_a=text), Order.AB, ties=False)
    plain = render_direct(pair_of(response_a="x"), Order.AB, ties=False)
    (_, spans), (_, plain_spans) = prompt.messages[1], plain.messages[1]
    if not text:
        assert Span("x", "first") not in spans
        return
    assert [span for span in spans if span.kind == "first"] == [Span(unmarked(text), "first")]
    assert [s for s in spans if s.kind != "first"] == [s for s in plain_spans if s.kind != "first"]


def test_both_orders_begin_with_the_same_words_up_to_the_first_answer():
    ab, ba = (render_direct(pair_of(), order, ties=False) for order in Order)
    assert ab.messages[0] == ba.messages[0]
    places = [[span.kind for span in prompt.messages[1][1]].index("first") for prompt in (ab, ba)]
    assert ab.messages[1][1][: places[0]] == ba.messages[1][1][: places[1]]


def test_a_value_the_template_needs_and_does_not_get_is_an_error():
    from jinja2 import UndefinedError

    with pytest.raises(UndefinedError, match="system"):
        fill("direct", {})

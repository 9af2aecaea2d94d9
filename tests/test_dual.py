"""A verdict with its working as one reply: written, read, thinned out at random, and learned."""

from __future__ import annotations

import json
import math
import random
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from models import VERDICT_MERGES, make_adapter, make_model, make_tokenizer
from pairs import pair_of
from test_openai_server import Fake, Vllm, chat, logprobs_of, text_of

from distill import lessons as lessons_module
from distill import stages
from distill.clean import HeldOut, normalised, prompts_of, replies_of
from distill.dropping import (
    FEWER,
    NO_CLOSE,
    NO_COST,
    NOTHING,
    WHOLE,
    Kind,
    TracePart,
    dice_of,
    drawn_level,
    dropped,
    n_dropped,
)
from distill.folder import RunFolder
from distill.keeping import HELD_OUT, KEPT, NOT_JUDGED, format_kept
from distill.lessons import DualLessons, lessons_of
from distill.recipe import LEVELS, read_recipe, recipe_of, recipe_to_json
from distill.rows import Row, read_rows
from distill.selection import SURPLUS, Example, Part, targets
from distill.selectionfile import read_selection
from distill.stages import run_collect, run_select
from distill.traces import Trace, read_traces, shards_of
from distill.trainstage import fast_and_slow, run_train
from distill.workings import (
    NOT_READ,
    OTHER_VERDICT,
    TWO_PLANS,
    VOTED,
    check_workings,
    dual_rows,
    mirrored,
    parts_of,
    texts_in,
    thinned,
    working_from,
    working_of,
    workings_in,
    workings_of,
)
from judge.api import Judge
from judge.backends import ChoiceProbabilities, Completion, Settings, until_stop
from judge.backends import scripted as characters
from judge.backends.scripted import ScriptedBackend
from judge.backends.tokens import PromptEncoder
from judge.backends.vllm_engine import VllmBackend
from judge.errors import BadLines, InputError
from judge.io.pairs import write_pairs
from judge.ledger.ledger import Ledger
from judge.methods import MemoryStore, MethodSettings, load_method
from judge.methods.auto import is_escalated
from judge.methods.dual import render_dual
from judge.methods.traced import EARLY_VERDICT, NO_SCORES, OTHER_SUMS, reason_in, said
from judge.methods.voting import voted
from judge.models.adapters import is_judge, read_adapter
from judge.options import JudgeOptions, judge_options
from judge.orders import combine
from judge.progress import silent
from judge.prompts import fingerprint_of
from judge.prompts.working import Weighed, Working, format_working, parse_working
from judge.records import Choice, Judgment, Message, Order, Outcome, Pair, Step, Unparsed

CLOUDS = Working(
    (
        Weighed("Correctness: says which clouds and why.", (4, 2), "B mixes up stratus and cumulus."),
        Weighed("Form: is short.", (3, 3), "Both are. Neither lists."),
        Weighed("Care: warns of storms.", (5, 4), "A says when to go in."),
        Weighed("Sources: names one.", (2, 2)),
        Weighed("Tone: is friendly.", (3, 2), "B is curt."),
    ),
    "A",
)
WHOLE_TEXT = """\
Plan
1. Correctness: says which clouds and why.
A 4, B 2. B mixes up stratus and cumulus.
2. Form: is short.
A 3, B 3. Both are. Neither lists.
3. Care: warns of storms.
A 5, B 4. A says when to go in.
4. Sources: names one.
A 2, B 2.
5. Tone: is friendly.
A 3, B 2. B is curt.
[[A]]"""
AT_LEVEL = {
    WHOLE: WHOLE_TEXT,
    NO_CLOSE: """\
Plan
1. Correctness: says which clouds and why.
A 4, B 2.
2. Form: is short.
A 3, B 3.
3. Care: warns of storms.
A 5, B 4.
4. Sources: names one.
A 2, B 2.
5. Tone: is friendly.
A 3, B 2.
[[A]]""",
    NO_COST: """\
Plan
1. Correctness: says which clouds and why.
2. Form: is short.
3. Care: warns of storms.
4. Sources: names one.
5. Tone: is friendly.
[[A]]""",
    FEWER: """\
Plan
1. Correctness: says which clouds and why.
2. Care: warns of storms.
3. Sources: names one.
4. Tone: is friendly.
[[A]]""",
    NOTHING: "[[A]]",
}
WORDS = st.text(st.characters(blacklist_categories=("C", "Z")), min_size=1, max_size=12).map(str.strip)
LINES = st.lists(WORDS.filter(bool), min_size=1, max_size=4).map(" ".join)
SCORES = st.tuples(st.integers(1, 5), st.integers(1, 5))


# --- written and read ------------------------------------------------------------------------------------


def test_a_working_is_written_as_a_plan_with_scores_and_reasons_below_each_criterion():
    assert format_working(CLOUDS) == WHOLE_TEXT
    assert parse_working(WHOLE_TEXT, is_ended=True, letters="AB") == CLOUDS


@given(
    st.lists(
        st.one_of(
            st.builds(Weighed, LINES),
            st.builds(Weighed, LINES, SCORES, st.one_of(st.just(""), LINES)),
        ),
        max_size=12,
    ),
    st.sampled_from("ABC"),
)
def test_what_is_written_is_read_back(weighed, letter):
    working = Working(tuple(weighed), letter)
    assert parse_working(format_working(working), is_ended=True, letters="ABC") == working


@given(st.integers(0, len(WHOLE_TEXT) - 1))
def test_a_reply_that_was_cut_is_never_a_verdict(length):
    cut = parse_working(WHOLE_TEXT[:length], is_ended=False, letters="AB")
    assert cut == Unparsed("the working is not finished", raw=WHOLE_TEXT[:length])
    assert isinstance(parse_working(WHOLE_TEXT[:length], is_ended=True, letters="AB"), Unparsed)


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ("I prefer [[A]]", "does not end in a verdict"),
        ("[[C]]", r"verdict \[\[C\]\] is not one of A, B"),
        ("Plan\n[[A]]", "does not begin with Plan and a criterion"),
        ("1. Form.\n[[A]]", "does not begin with Plan and a criterion"),
        ("Plan\n2. Form.\n[[A]]", "neither criterion 1 nor scores"),
        ("Plan\n1. Form.\n3. Tone.\n[[A]]", "neither criterion 2 nor scores"),
        ("Plan\nA 4, B 2.\n1. Form.\n[[A]]", "neither criterion 1 nor scores"),
        ("Plan\n1. Form.\nA 4, B 2.\nA 4, B 2.\n[[A]]", "neither criterion 2 nor scores"),
        ("Plan\n1. Form.\nA 6, B 2.\n[[A]]", "neither criterion 2 nor scores"),
        ("Plan\n1. Form.\nA is good.\n[[A]]", "neither criterion 2 nor scores"),
        ("Plan\n1. Form.\n[[A]]\n[[B]]", "neither criterion 2 nor scores"),
        ("", "does not end in a verdict"),
    ],
)
def test_anything_else_is_unparsed_with_its_reason(reply, reason):
    found = parse_working(reply, is_ended=True, letters="AB")
    assert isinstance(found, Unparsed)
    assert found.raw == reply
    assert re.search(reason, found.reason)


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"criterion": ""}, "not a line each"),
        ({"criterion": " a"}, "not a line each"),
        ({"criterion": "a\nb"}, "not a line each"),
        ({"reason": "a\nb"}, "not a line each"),
        ({"scores": (0, 3)}, "not whole numbers from 1 to 5"),
        ({"scores": None}, "belongs to no scores"),
    ],
)
def test_what_could_not_be_read_back_cannot_be_written(wrong, problem):
    with pytest.raises(ValueError, match=problem):
        Weighed(**{"criterion": "Form.", "scores": (3, 2), "reason": "So."} | wrong)


# --- left out at random ----------------------------------------------------------------------------------


def test_each_level_leaves_out_what_it_says_and_numbers_what_stays():
    for level, text in AT_LEVEL.items():
        left = dropped(parts_of(CLOUDS), level, random.Random("a fixed draw"))
        assert format_working(working_from(left, "A")) == text


def test_parts_of_any_trace_of_these_kinds_are_dropped_the_same_way():
    maze = [
        *(TracePart(Kind.CREATE, "create 0 1"), TracePart(Kind.COST, "c0 c5")),
        *(TracePart(Kind.CLOSE, "close 0 1"), TracePart(Kind.COST, "c0 c5")),
        *(TracePart(Kind.CREATE, "create 0 2"), TracePart(Kind.COST, "c1 c4")),
    ]
    texts = [[part.text for part in dropped(maze, level, random.Random(0))] for level in range(5)]
    assert texts[WHOLE] == [part.text for part in maze]
    assert texts[NO_COST] == ["create 0 1", "create 0 2"]
    assert len(texts[FEWER]) in (1, 2)
    assert texts[NOTHING] == []


@given(st.integers(0, 60), st.integers(0, 10**6), st.sampled_from(range(5)))
def test_what_is_left_keeps_its_order_and_no_criterion_is_half_there(n, seed, level):
    weighed = tuple(Weighed(f"Criterion {i}.", (1 + i % 5, 3), f"Reason {i}.") for i in range(n))
    working = Working(weighed, "B")
    left = working_from(dropped(parts_of(working), level, random.Random(seed)), "B")
    names = [one.criterion for one in left.weighed]
    assert names == [one.criterion for one in weighed if one.criterion in names]
    n_left = len(left.weighed)
    if level < FEWER:
        assert n_left == n
    elif level == FEWER:
        assert n_left >= min(n, 1)
        assert abs((n - n_left) - 0.3 * n) <= 1 or n == 1
    else:
        assert n_left == 0
    for one in left.weighed:
        assert (one.scores is not None) == (level <= NO_CLOSE)
        assert bool(one.reason) == (level == WHOLE)


@pytest.mark.slow
def test_levels_come_as_often_as_their_shares_say_and_thirty_percent_of_criteria_go():
    shares, n = [0.4, 0.1, 0.15, 0.05, 0.3], 20_000
    counts = Counter(drawn_level(shares, dice_of(0, epoch, "pair")) for epoch in range(n))
    for level, share in enumerate(shares):
        assert counts[level] / n == pytest.approx(share, abs=4 * (share * (1 - share) / n) ** 0.5)
    gone = [n_dropped(5, dice_of(0, epoch, "pair").random()) for epoch in range(n)]
    assert set(gone) == {1, 2}
    assert sum(gone) / (5 * n) == pytest.approx(0.3, abs=0.01)
    assert [n_dropped(1, chance) for chance in (0.0, 0.99)] == [0, 0]


def test_both_orders_of_a_pair_show_the_same_criteria_and_each_epoch_draws_anew():
    other = Working(tuple(replace(one, reason="Turned.") for one in CLOUDS.weighed), "B")
    both = {Order.AB: CLOUDS, Order.BA: other}
    seen = []
    for epoch in range(40):
        thin = thinned(both, [0.2] * 5, 7, epoch, "content")
        assert thin == thinned(both, [0.2] * 5, 7, epoch, "content")
        ab, ba = (thin[order] for order in Order)
        assert [one.criterion for one in ab.weighed] == [one.criterion for one in ba.weighed]
        assert [one.scores for one in ab.weighed] == [one.scores for one in ba.weighed]
        assert (ab.letter, ba.letter) == ("A", "B")
        seen.append(format_working(ab))
    assert len(set(seen)) > 5
    assert seen != [format_working(thinned(both, [0.2] * 5, 8, e, "content")[Order.AB]) for e in range(40)]


# --- from readings ---------------------------------------------------------------------------------------


def reading(choice: Choice, *scored: tuple[float, float], name: str = "Form: is short.") -> Judgment:
    steps = [Step("branch", "1. Form", 9, 9)]
    steps += [
        Step(
            f"{name} {n}",
            f"Scores: A [[{a}]], B [[{b}]]\nReason: It is\n so. And then it was cu",
            9,
            9,
            (a, b),
        )
        for n, (a, b) in enumerate(scored)
    ]
    return Judgment(choice, None, "", 9, 9, steps=tuple(steps))


def test_a_reading_becomes_a_working_with_its_criteria_scores_and_whole_sentences_of_its_reasons():
    found = working_of(reading(Choice.FIRST, (4.0, 2.0), (3.0, 3.0)), Choice.FIRST, ties=False)
    assert found == Working(
        (
            Weighed("Form: is short. 0", (4, 2), "It is so."),
            Weighed("Form: is short. 1", (3, 3), "It is so."),
        ),
        "A",
    )


@pytest.mark.parametrize(
    ("one", "why"),
    [
        (Unparsed("no score", raw=""), OTHER_VERDICT),
        (reading(Choice.SECOND, (2.0, 4.0)), OTHER_VERDICT),
        (reading(Choice.FIRST), NO_SCORES),
        (reading(Choice.FIRST, (4.5, 2.0)), NO_SCORES),
        (reading(Choice.FIRST, (2.0, 4.0)), OTHER_SUMS),
    ],
)
def test_a_reading_that_comes_to_another_choice_or_says_no_scores_has_none(one, why):
    assert working_of(one, Choice.FIRST, ties=False).reason == why


def test_a_vote_of_several_samples_is_no_working():
    vote = voted(Judgment(Choice.FIRST, None, "2 of 2", 0, 0), [reading(Choice.FIRST, (4.0, 2.0))] * 2)
    assert working_of(vote, Choice.FIRST, ties=False).reason == VOTED


def test_scores_add_up_by_the_weights_of_their_criteria():
    light = reading(Choice.FIRST, (4.0, 2.0), (1.0, 4.0))
    plan, *steps = light.steps
    heavy = replace(light, steps=(plan, replace(steps[0], weight=2.0), steps[1]))
    assert working_of(light, Choice.FIRST, ties=False).reason == OTHER_SUMS
    assert working_of(heavy, Choice.FIRST, ties=False).letter == "A"


def test_a_reason_is_what_follows_the_word_without_a_sentence_that_was_cut():
    assert reason_in("Scores: A [[4]], B [[2]]\nReason: B errs (1.5 is not 2). A does not. The") == (
        "B errs (1.5 is not 2). A does not."
    )
    assert reason_in("Scores: A [[4]], B [[2]]\nReason: no end") == ""
    assert reason_in("Scores: A [[4]], B [[2]]") == ""
    assert reason_in("Scores: A [[4]], B [[2]]\nReason: B says [[B]] itself.") == ""


def test_no_working_has_a_criterion_at_which_its_reply_would_stop():
    quoting = reading(Choice.FIRST, (4.0, 2.0))
    quoting = replace(quoting, steps=tuple(replace(one, name="Form: says [[A]].") for one in quoting.steps))
    assert working_of(quoting, Choice.FIRST, ties=False).reason == EARLY_VERDICT


def trace_of(ab: Judgment, ba: Judgment, id: str = "p") -> Trace:
    return Trace(pair_of(id=id), combine(id, {Order.AB: ab, Order.BA: ba}, "judge"))


def test_orders_that_come_to_the_pairs_label_have_workings_and_others_none():
    first, second = reading(Choice.FIRST, (4.0, 2.0)), reading(Choice.SECOND, (2.0, 4.0))
    both = workings_in(trace_of(first, second), targets(Outcome.A), ties=False)
    assert {order: one.letter for order, one in both.items()} == {Order.AB: "A", Order.BA: "B"}
    half = workings_in(trace_of(first, first), targets(Outcome.A), ties=False)
    assert half == both, "the order that came to another choice shows the other one's working, mirrored"
    assert workings_in(trace_of(first, second), targets(Outcome.B), ties=False).reason == OTHER_VERDICT
    assert workings_in(None, targets(Outcome.A), ties=False).reason == NOT_READ
    other = reading(Choice.SECOND, (2.0, 4.0), name="Tone: is kind.")
    assert workings_in(trace_of(first, other), targets(Outcome.A), ties=False).reason == TWO_PLANS


@pytest.mark.parametrize(
    ("reason", "other"),
    [
        ("Answer A is short, answer B's end is cut.", "Answer B is short, answer A's end is cut."),
        ("Both answers are kind.", "Both answers are kind."),
        ("Wait for the first leaves.", "Wait for the first leaves."),
        ("On the other hand, Response B errs.", "On the other hand, Response A errs."),
        ("", ""),
        ("A is better than B.", ""),
        ("Answers A and B agree.", ""),
        ("Answer B does not answer a question.", "Answer A does not answer a question."),
        ("Answer A errs; the second answer does not.", ""),
        ("Answer A errs, the latter does not.", ""),
        ("Latter is more complete.", ""),
        ("The First response is clear.", ""),
        ("The second assistant is clearer.", ""),
        ("It is better than the first.", ""),
        ("The first is clear, while the second is vague.", ""),
        ("Answer 1 is better than Answer 2.", ""),
        ("First answer explains why, Answer B does not.", ""),
    ],
)
def test_a_mirrored_working_says_the_same_of_answers_that_stand_the_other_way_round(reason, other):
    one = Working((Weighed("Form: is short.", (4, 2), reason), Weighed("Tone: is kind.")), "A")
    mirror = Working((Weighed("Form: is short.", (2, 4), other), Weighed("Tone: is kind.")), "B")
    assert mirrored(one) == mirror


def test_no_working_is_mirrored_where_the_orders_are_to_name_different_answers():
    first = reading(Choice.FIRST, (4.0, 2.0))
    choices = {Order.AB: Choice.FIRST, Order.BA: Choice.FIRST}
    only = workings_in(trace_of(first, reading(Choice.SECOND, (2.0, 4.0))), choices, ties=False)
    assert {order: one.letter for order, one in only.items()} == {Order.AB: "A"}


def test_a_mirrored_tie_stays_a_tie():
    assert mirrored(Working((), "C")) == Working((), "C")


# --- judged with -----------------------------------------------------------------------------------------


class TwoMinded(ScriptedBackend):
    """Plans where the first answer says "hard", is in two minds otherwise, and always prefers the first."""

    def __init__(self, working: str = "1. Form: is short.\nA 4, B 2.\n[[A]]", is_ended: bool = True) -> None:
        super().__init__(lambda prompt, index: "[[A]]")
        self.working, self.is_ended = working, is_ended
        self.starts: list[str] = []

    def choose(self, prompts, choices):
        if choices != ("[[", "Plan"):
            return super().choose(prompts, choices)
        assert [prompt.reply_start for prompt in prompts] == [""] * len(prompts)
        p_plan = [0.9 if "hard" in characters.text_of(prompt, "first") else 0.4 for prompt in prompts]
        return [ChoiceProbabilities((1 - p, p), 9, 1) for p in p_plan]

    def complete(self, prompts, sampling):
        self.starts += [prompt.reply_start for prompt in prompts]
        return [Completion(self.working, 9, 20, self.is_ended) for _ in prompts]


ITEMS = [(pair_of("hard", "easy", id="p"), order) for order in Order]


def raws(method: str, backend: TwoMinded, **settings: float) -> list[str]:
    return [one.raw for one in load_method(method, backend, MethodSettings(**settings)).read(ITEMS)]


def test_fast_is_four_tokens_slow_a_working_and_auto_what_the_first_word_says():
    working = "Plan\n1. Form: is short.\nA 4, B 2.\n[[A]]"
    assert raws("dual", TwoMinded()) == ["[[A]]"] * 2
    backend = TwoMinded()
    assert raws("dual-slow", backend) == [working] * 2
    assert backend.starts == ["Plan\n"] * 2
    assert raws("dual-auto", TwoMinded()) == [working, "[[A]]"]
    [slow, fast] = load_method("dual-auto", TwoMinded()).read(ITEMS)
    chosen = [
        Step("fast or slow", f"{said}", 0, 0) for said in ("slow: P(slow) 0.900000", "fast: P(slow) 0.400000")
    ]
    assert slow.steps == (chosen[0], Step("Form: is short.", "", 0, 0, (4.0, 2.0)))
    assert fast.steps == (chosen[1],)
    assert raws("dual-auto", TwoMinded(), slow_above=0.95) == ["[[A]]"] * 2
    assert raws("dual-auto", TwoMinded(), slow_above=0.3) == [working] * 2


def test_a_working_that_is_cut_or_odd_is_unparsed_with_all_that_was_said():
    for backend, reason in (
        (TwoMinded("1. Form: is short.\nA 4, B", is_ended=False), "the working is not finished"),
        (TwoMinded(working="Well, [[A]]"), "the working does not end in a verdict such as [[A]]"),
    ):
        [one, _] = load_method("dual-slow", backend).read(ITEMS)
        assert isinstance(one, Unparsed)
        assert (one.reason, one.raw, one.tokens_out) == (reason, f"Plan\n{backend.working}", 20)


def test_writing_stops_at_a_verdict_and_what_an_engine_writes_after_one_is_not_read():
    assert load_method("dual-slow", TwoMinded()).sampling.stop == ("[[A]]", "[[B]]")
    with_ties = load_method("dual-auto", TwoMinded(), MethodSettings(ties=True))
    assert with_ties.sampling.stop == ("[[A]]", "[[B]]", "[[C]]")
    assert "greedy to a verdict, at most 512 tokens" in with_ties.identity.decoding
    told = "1. Form: is short.\nA 4, B 2.\n[[A]]"
    [one, _] = load_method("dual-slow", TwoMinded(f"{told}\nOr rather [[B]]")).read(ITEMS)
    assert (one.choice, one.raw) == (Choice.FIRST, f"Plan\n{told}\nOr rather [[B]]")
    [cut, _] = load_method("dual-slow", TwoMinded(f"{told}\nOr ra", is_ended=False)).read(ITEMS)
    assert cut.choice is Choice.FIRST


def test_a_pair_is_escalated_where_the_adapter_chose_to_be_slow_in_some_order_even_if_it_cannot_be_read():
    def is_slow(method: str, **settings: float) -> bool:
        backend = TwoMinded("1. Form: is short.\nA 4, B", is_ended=False)
        read = load_method(method, backend, MethodSettings(**settings)).read(ITEMS)
        return is_escalated(combine("p", dict(zip(Order, read, strict=True)), "judge"))

    assert is_slow("dual-auto")
    assert not is_slow("dual-auto", slow_above=0.95)
    assert not is_slow("dual")


def test_what_moves_auto_is_part_of_the_judges_name_and_of_no_other_judges():
    made = [load_method("dual-auto", TwoMinded(), MethodSettings(slow_above=above)) for above in (0.5, 0.7)]
    assert len({one.identity.fingerprint for one in made}) == 2
    names = ("dual", "dual-slow", "dual-auto")
    assert len({load_method(name, TwoMinded()).identity.fingerprint for name in names}) == 3
    with pytest.raises(InputError, match=r"belongs to direct, score, dual, dual-slow or dual-auto\."):
        load_method("bsm", Adapted())
    with pytest.raises(InputError, match="--slow-above: method bsm has no such choice"):
        load_method("bsm", TwoMinded(), MethodSettings(slow_above=0.7))


def test_a_verdict_at_once_has_nothing_to_sample_and_a_working_has():
    with pytest.raises(InputError, match="nothing to sample"):
        load_method("dual", TwoMinded(), MethodSettings(temperature=0.7))
    assert load_method("dual-slow", TwoMinded(), MethodSettings(temperature=0.7), samples=3).read(ITEMS)


@pytest.mark.slow
def test_fast_slow_and_auto_are_those_of_the_adapter_where_it_has_learned_both(tiny, tmp_path):
    adapter = make_adapter(tiny, tmp_path / "both", templates=["dual"], prompts=fingerprint_of("dual"))
    other = make_adapter(tiny, tmp_path / "other")

    def judged(method: str, folder: Path) -> JudgeOptions:
        return judge_options(method=method, base_model=str(tiny), adapter=str(folder))

    ways = ("fast", "slow", "auto")
    assert [judged(way, adapter).asked_by for way in ways] == ["dual", "dual-slow", "dual-auto"]
    assert [judged(way, adapter).is_two for way in ways] == [False] * 3
    assert [judged(way, other).asked_by for way in ways[:2]] == ["direct", "bsm"]
    assert judged("auto", other).is_two
    for way in ways:
        assert judged(way, adapter).load(silent, MemoryStore()).identity.adapter == "both"
    with pytest.raises(InputError, match="the adapter both has learned dual"):
        judged("direct", adapter).load(silent, MemoryStore())


# --- on every engine --------------------------------------------------------------------------------------

PLAN_MERGES = [("P", "l"), ("Pl", "a"), ("Pla", "n")]  # with these Plan is one token
FORM = "Plan\n1. Form: is short.\nA 4, B 2.\n[[A]]"
WAYS = ("dual", "dual-slow", "dual-auto")


class Adapted(TwoMinded):
    """An engine with an adapter of which nothing is known here but its name."""

    @property
    def engine(self):
        return replace(super().engine, adapter="lora")


def is_hard(text: str) -> bool:
    return 0 <= text.find("hard") < text.find("easy")


def test_a_scripted_judge_is_fast_slow_and_both_by_the_first_word_of_its_reply():
    def backend(working=FORM):
        return ScriptedBackend(
            lambda prompt, index: (
                working if is_hard("".join(span.text for span in prompt.messages[-1][1])) else "[[B]]"
            )
        )

    says = {method: raws(method, backend()) for method in WAYS}
    assert says["dual"] == ["[[A]]", "[[B]]"]
    assert says["dual-slow"][0] == FORM
    assert says["dual-auto"] == [FORM, "[[B]]"]
    [one, _] = load_method("dual-auto", backend("Plan\n1. Form")).read(ITEMS)
    assert isinstance(one, Unparsed)


class DualChat(Fake):
    """A chat server with a dual student: it begins with a plan where the first answer says "hard"."""

    def __init__(self, working: str = FORM, finish: str = "stop", has_logprobs: bool = True) -> None:
        super().__init__()
        self.working, self.finish, self.has_logprobs = working, finish, has_logprobs

    def reply(self, body):
        text = text_of(body)
        if text.endswith('Begin your reply with "[[" or "Plan".'):
            p = 0.9 if is_hard(text) else 0.4
            said = ["Plan", "\n1. Form: is"] if p > 0.5 else ["[[", "A", "]]"]
            top = [{"token": "[[", "logprob": math.log(1 - p)}, {"token": "Plan", "logprob": math.log(p)}]
            content = [{"token": one, "logprob": 0.0} for one in said]
            content[0]["top_logprobs"] = top
            told = {"content": content} if self.has_logprobs else None
            finish, n = ("length", 20) if p > 0.5 else ("stop", 4)
            return chat("".join(said), told, finish, completion_tokens=n)
        if text.endswith('Begin your reply with "Plan".'):
            return chat(self.working, None, self.finish, completion_tokens=30)
        return chat("[[A]]", logprobs_of(["[[", "A", "]]"], 1, 0.7) if self.has_logprobs else None)


@pytest.fixture
def loopback(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def test_a_chat_server_writes_a_working_once_and_what_it_wrote_to_choose_is_counted(loopback):
    with DualChat() as server:
        [slow, fast] = load_method("dual-auto", server.backend()).read(ITEMS)
        assert sorted(body["max_tokens"] for body in server.asked) == [20, 20, 21, 512]
    assert (slow.raw, slow.tokens_in, slow.tokens_out) == (FORM, 100, 50)
    assert slow.steps[0] == Step("fast or slow", "slow: P(slow) 0.900000", 50, 20)
    assert (fast.raw, fast.tokens_in, fast.tokens_out) == ("[[A]]", 100, 8)
    assert fast.steps == (Step("fast or slow", "fast: P(slow) 0.400000", 50, 4),)
    assert fast.probabilities[Choice.FIRST] == pytest.approx(0.7)


def test_a_chat_server_is_held_to_either_way_in_words(loopback):
    with DualChat() as server:
        assert raws("dual", server.backend()) == ["[[A]]"] * 2
        assert raws("dual-slow", server.backend()) == [FORM] * 2
        asked = {text_of(body).rpartition("\n")[2] for body in server.asked}
    assert asked == {'Begin your reply with "[[A]]" or "[[B]]".', 'Begin your reply with "Plan".'}


def test_a_chat_server_without_log_probabilities_chooses_by_five_first_words(loopback):
    with DualChat(has_logprobs=False) as server:
        [slow, fast] = load_method("dual-auto", server.backend()).read(ITEMS)
        assert all(body["max_tokens"] in (20, 21, 512) for body in server.asked)
    assert (slow.raw, slow.tokens_out) == (FORM, 5 * 20 + 30)
    assert (fast.raw, fast.tokens_out) == ("[[A]]", 5 * 4 + 5 * 4)


def test_a_chat_servers_working_is_read_after_its_thinking_and_never_where_it_was_cut(loopback):
    with DualChat(f"<think>hm [[B]]</think>\n\n{FORM}") as server:
        [one, _] = load_method("dual-slow", server.backend()).read(ITEMS)
        assert one.choice is Choice.FIRST
        assert "hm [[B]]" in one.raw
    with DualChat(FORM[:30], finish="length") as server:
        [one, _] = load_method("dual-slow", server.backend()).read(ITEMS)
        assert (one.reason, one.raw) == ("the working is not finished", FORM[:30])


class DualVllm(Vllm):
    """A vLLM server whose model prefers what it is asked for first, and writes one working."""

    words = f"{FORM}\nOr [[B]]".removeprefix("Plan\n")

    def __init__(self) -> None:
        super().__init__()
        self.tokenizer = make_tokenizer(merges=[*VERDICT_MERGES, *PLAN_MERGES])


@pytest.mark.slow
def test_a_vllm_server_gets_the_tokens_that_each_way_begins_with(loopback, tmp_path):
    with DualVllm() as server:
        folder = tmp_path / "m"
        server.tokenizer.save_pretrained(folder)
        for name, content in (("config.json", b"{}"), ("model.safetensors", b"")):
            (folder / name).write_bytes(content)
        backend = server.backend(base_model=str(folder))
        encoder = PromptEncoder(server.tokenizer, 4096, "trim")
        says = {way: raws(way, backend) for way in WAYS}
        assert says == {"dual": ["[[A]]"] * 2, "dual-slow": [FORM] * 2, "dual-auto": ["[[A]]"] * 2}
        [slow, _] = load_method("dual-auto", backend, MethodSettings(slow_above=0.1)).read(ITEMS)
        allowed = [body["allowed_token_ids"] for body in server.asked if "allowed_token_ids" in body]
        assert encoder.choice_ids(["[[", "Plan"], "") in allowed
        begun = [body["prompt"][-2:] for body in server.asked if body["path"] == "/v1/completions"]
        assert begun[-1] == encoder.plain_ids("Plan\n")
        cut = MethodSettings(max_new_tokens=5)
        [unfinished, _] = load_method("dual-slow", backend, cut).read(ITEMS)
    assert (slow.raw, slow.tokens_out) == (FORM, len(server.tokenizer.encode(FORM.removeprefix("Plan\n"))))
    writing = [body for body in server.asked if "stop" in body]
    assert [body["stop"] for body in writing] == [["[[A]]", "[[B]]"]] * len(writing)
    assert writing
    assert all(body["include_stop_str_in_output"] for body in writing)
    assert unfinished.reason == "the working is not finished"


class FakeVllm:
    """What a loaded vLLM engine does, without one: it prefers the first token asked for."""

    def __init__(self, is_ended: bool = True) -> None:
        self.encoder = PromptEncoder(make_tokenizer(merges=[*VERDICT_MERGES, *PLAN_MERGES]), 4096, "trim")
        self.is_ended = is_ended
        self.begun: list[list[int]] = []

    def use_head(self, dtype):
        pass

    def refuse_longer_than_room(self, encoded, n_reply):
        pass

    def logits(self, sequences, asked):
        return [[-1.0 - n for n in range(len(ids))] for ids in asked], 0

    def generate(self, sequences, sampling):
        self.begun += [list(ids[-2:]) for ids in sequences]
        words = until_stop(DualVllm.words, sampling.stop) if self.is_ended else DualVllm.words[:20]
        return [(words, 30, self.is_ended)] * len(sequences), 0


@pytest.mark.slow
def test_vllm_in_this_process_is_fast_slow_and_both():
    def backend(is_ended=True):
        made = VllmBackend(Settings(device="cpu", dtype="float32"))
        made._loaded = FakeVllm(is_ended)
        return made

    assert raws("dual", backend()) == ["[[A]]"] * 2
    assert raws("dual-slow", backend()) == [FORM] * 2
    assert raws("dual-auto", backend()) == ["[[A]]"] * 2
    slow = backend()
    assert raws("dual-auto", slow, slow_above=0.1) == [FORM] * 2
    assert slow._loaded.begun == [slow._loaded.encoder.plain_ids("Plan\n")] * 2
    [unfinished, _] = load_method("dual-slow", backend(is_ended=False)).read(ITEMS)
    assert unfinished.reason == "the working is not finished"


class Apart:
    """An engine that cannot say how likely a word is that it is not asked for, so that it is asked twice."""

    def __init__(self, backend) -> None:
        self.backend = backend
        self.choose, self.complete = backend.choose, backend.complete


@pytest.mark.slow
@pytest.mark.parametrize("joined", [[], [("[[", "[[")]])
def test_one_pass_says_what_two_do_and_reads_each_prompt_once(tmp_path, joined):
    """A tokenizer that joins two openings to one token cannot be asked both together, and is asked apart."""
    from judge.backends.embedded import EmbeddedBackend

    model = make_model(tmp_path / "m", [*VERDICT_MERGES, *PLAN_MERGES, *joined])
    items = [(pair, order) for pair in PAIRS[:3] for order in Order]

    def read(**settings):
        backend = EmbeddedBackend(Settings(str(model), dtype="float32", device="cpu"))
        backend.load()
        apart = EmbeddedBackend(Settings(str(model), dtype="float32", device="cpu"))
        both = [
            load_method("dual-auto", one, MethodSettings(max_new_tokens=3, **settings)).read(items)
            for one in (backend, Apart(apart))
        ]
        return *both, backend.tokens_computed, apart.tokens_computed

    together, apart, n_together, n_apart = read(slow_above=1.0)
    for one, other in zip(together, apart, strict=True):
        assert one.probabilities == pytest.approx(other.probabilities, abs=5e-6)
        assert (one.raw, one.tokens_in, one.tokens_out) == (other.raw, other.tokens_in, other.tokens_out)
        [said, told] = [float(each.steps[0].raw.rpartition(" ")[2]) for each in (one, other)]
        assert said == pytest.approx(told, abs=5e-6)
    assert n_together == n_apart if joined else n_together < 0.6 * n_apart
    n_at_once = n_together
    ps = sorted(float(one.steps[0].raw.rpartition(" ")[2]) for one in together)
    together, apart, n_together, n_apart = read(slow_above=(ps[2] + ps[3]) / 2)
    n_begun = 3 * len(make_tokenizer(merges=[*VERDICT_MERGES, *PLAN_MERGES]).encode("Plan\n"))
    assert n_together <= n_at_once + n_begun < n_apart
    assert [type(one) for one in together] == [type(one) for one in apart]
    unfinished = [one for one in together if isinstance(one, Unparsed)]
    assert len(unfinished) == 3
    for one in unfinished:
        assert one.raw.startswith("Plan\n")
        assert (one.reason, one.tokens_out) == ("the working is not finished", 3)


# --- learned ---------------------------------------------------------------------------------------------

PAIRS = [
    pair_of(f"a long answer to question {n}, and the sun is out", "short", f"Question {n}?", f"p{n}")
    for n in range(10)
]
RUN = RunFolder(Path("runs/dual"))


def recipe(model="tiny", teacher=None, levels=(0.2, 0.2, 0.2, 0.2, 0.2), **train):
    settings = {
        "method": "dual",
        "levels": list(levels),
        "base_model": str(model),
        "epochs": 2,
        "learning_rate": 0.01,
        "rank": 4,
        "layers": 0.5,
        "accumulate": 1,
        "batch_tokens": 8192,
        "evaluations": 2,
        "dtype": "float32",
        "device": "cpu",
    }
    values = {
        "name": "dual",
        "collect": {
            "pairs": {"source": "file", "path": "pairs.jsonl"},
            "teacher": {"backend": "scripted:longer", "method": "bsm-text"} | (teacher or {}),
        },
        "select": {"held_out": 0.3},
        "train": settings | train,
    }
    return recipe_of(values, "dual.yaml")


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"teacher": {"method": "bsm"}}, "collect.teacher.method: a dual student learns what bsm-text wrote"),
        ({"levels": (0.5, 0.5, 0.5, 0.0, 0.0)}, "train.levels: must be five shares that add up to 1"),
        ({"levels": (0.5, 0.5)}, "train.levels"),
        ({"targets": "soft"}, "train.targets: a whole reply is learned as it is written"),
        ({"symmetry": 1.0}, "train.symmetry: only verdicts alone have a mirror image"),
        ({"method": "direct"}, "train.levels: only method dual leaves parts out"),
        ({"method": "direct", "levels": LEVELS, "workings": "x"}, "train.workings: only method dual"),
        ({"method": "direct", "levels": LEVELS, "working_weight": 0.5}, "train.working_weight: only method"),
        ({"working_weight": 0}, "train.working_weight"),
    ],
)
def test_a_recipe_for_a_dual_student_says_what_does_not_go_together(changes, problem):
    with pytest.raises(BadLines) as caught:
        recipe(**changes)
    assert any(one.startswith(f"dual.yaml: {problem}") for one in caught.value.problems)


def test_other_recipes_say_nothing_of_levels_rows_and_workings():
    values = recipe_to_json(recipe_of({"name": "x"}, "x.yaml"))
    assert not {"levels", "working_weight", "rows", "workings"} & values["train"].keys()
    assert recipe_to_json(recipe())["train"]["levels"] == [0.2] * 5


def test_the_manifest_of_a_dual_student_has_its_levels_and_the_first_word_of_each_way():
    assert fast_and_slow(recipe()) == {"dual": {"levels": [0.2] * 5, "fast": "[[", "slow": "Plan"}}
    assert render_dual(PAIRS[0], Order.AB, ties=False).reply_start == "[["
    assert WHOLE_TEXT.startswith("Plan\n")
    assert fast_and_slow(recipe_of({"name": "x"}, "x.yaml")) == {}


def test_the_recipe_in_this_project_is_one_for_a_dual_student():
    made = read_recipe(Path(__file__).parents[1] / "recipes" / "dual-0.5b.yaml")
    assert (made.train.method, made.collect.teacher.method) == ("dual", "bsm-text")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return make_model(tmp_path_factory.mktemp("models") / "tiny", VERDICT_MERGES)


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for module in (stages, lessons_module):
        monkeypatch.setattr(module, "held_out_texts", lambda folder, unchecked: HeldOut({}, {}))
    write_pairs("pairs.jsonl", PAIRS)
    return tmp_path


def prepared(made, folder=RUN):
    run_collect(made, folder, None)
    run_select(made, folder)
    return lessons_of(made, folder, None)


def test_lessons_are_the_workings_of_the_teachers_own_traces(here):
    lessons = prepared(recipe())
    assert isinstance(lessons, DualLessons)
    assert lessons.data["without_working"] == {}
    assert set(lessons.workings) == {one.pair.content_hash for one in lessons.trained}
    both = lessons.workings[lessons.trained[0].pair.content_hash]
    assert format_working(both[Order.AB]) == (
        "Plan\n1. Content: says what was asked.\nA 4, B 2. it is a rule.\n2. Form: is easy to read.\n"
        "A 4, B 2. it is a rule.\n3. Care: says nothing wrong.\nA 4, B 2. it is a rule.\n[[A]]"
    )
    assert format_working(both[Order.BA]).endswith("[[B]]")


def exported(has_steps: bool) -> Path:
    """The shard of what the teacher of `RUN` said."""
    with Ledger(RUN.ledger) as ledger:
        [shard] = ledger.export(Path("worded" if has_steps else "bare"), has_steps=has_steps)
    return shard


def test_a_shard_with_steps_teaches_as_the_teacher_did_who_is_not_asked_again(here, monkeypatch):
    before = prepared(recipe())
    bare, worded = (exported(has_steps) for has_steps in (False, True))

    def refuse(*_):
        raise AssertionError("the teacher was asked again")

    for name in ("choose", "complete"):
        monkeypatch.setattr(ScriptedBackend, name, refuse)
    with pytest.raises(InputError, match=f"no working is left to learn .*{NO_SCORES}.* export --steps"):
        prepared(recipe(teacher={"recorded": str(bare)}), RunFolder(Path("runs/bare")))
    clone = RunFolder(Path("runs/clone"))
    lessons = prepared(recipe(teacher={"recorded": str(worded)}), clone)
    assert lessons.workings == before.workings
    assert lessons.source == before.source
    assert read_traces(clone.traces) == read_traces(RUN.traces)


def test_winners_may_be_named_by_another_teacher_than_the_one_who_wrote(here):
    prepared(recipe())
    other = RunFolder(Path("runs/winners"))
    lessons = prepared(recipe(teacher={"method": "bsm"}, workings="runs/dual"), other)
    assert len(lessons.workings) == len(lessons.trained) > 0
    against = recipe(teacher={"method": "bsm", "backend": "scripted:shorter"}, workings="runs/dual")
    with pytest.raises(InputError, match=f"no working is left to learn .*{OTHER_VERDICT}"):
        prepared(against, RunFolder(Path("runs/against")))


def kept_lines(side: Path) -> list[dict]:
    return [json.loads(line) for line in side.read_text("utf-8").splitlines()]


def test_every_working_is_right_or_wrong_by_the_winners_of_the_teacher_who_names_them(here):
    """The one who wrote them prefers the longer answer, the one who names winners the shorter."""
    prepared(recipe())
    winners = RunFolder(Path("runs/winners"))
    made = recipe(teacher={"method": "bsm", "backend": "scripted:shorter"}, workings="runs/dual")
    run_collect(made, winners, None)
    manifest = run_select(made, winners, keep_dropped=True)
    n_held_out = 2 * sum(one.part is Part.HELD_OUT for one in read_selection(winners.selection).kept)
    assert n_held_out > 0
    counts = {"right": {}, "wrong": {KEPT: 20 - n_held_out}, "left_out": {HELD_OUT: n_held_out}}
    assert manifest["readings"] == counts
    assert {one["sign"] for one in kept_lines(winners.wrong)} == {-1}
    for one in kept_lines(winners.wrong):
        shown = one["prompt"][-1]["content"]
        longer = "A" if shown.index("a long answer") < shown.index("short") else "B"
        assert one["reply"].startswith("Plan\n1. ")
        assert one["reply"].endswith(f"[[{longer}]]")
    assert run_select(made, winners, keep_dropped=True) == manifest
    assert run_select(made, winners) == manifest
    agreed = recipe(teacher={"method": "bsm"}, workings="runs/dual")
    run_collect(agreed, RunFolder(Path("runs/agreed")), None)
    other = run_select(agreed, RunFolder(Path("runs/agreed")), keep_dropped=True)
    assert other["readings"]["right"] == {KEPT: 20 - n_held_out}
    assert other["readings"]["wrong"] == {}


def test_workings_of_a_teacher_that_prefers_a_place_teach_none(here):
    """It always names the first answer, so one order of each pair is right and the other wrong."""
    run_collect(recipe(teacher={"backend": "scripted:first"}), RUN, None)
    winners = RunFolder(Path("runs/winners"))
    made = recipe(teacher={"method": "bsm", "backend": "scripted:longer"}, workings="runs/dual")
    run_collect(made, winners, None)
    readings = run_select(made, winners, keep_dropped=True)["readings"]
    [n_right], [n_wrong] = readings["right"].values(), readings["wrong"].values()
    assert readings["mirrored"] == {"right": n_right / 2, "wrong": n_wrong / 2}
    for side, sign in ((winners.right, 1), (winners.wrong, -1)):
        lines = kept_lines(side)
        assert Counter((one["reply"][-5:], one.get("mirrored", False)) for one in lines) == {
            ("[[A]]", False): len(lines) / 2,
            ("[[B]]", True): len(lines) / 2,
        }
        assert Counter(one["order"] for one in lines) == {"AB": len(lines) / 2, "BA": len(lines) / 2}
        assert {one.get("sign", 1) for one in lines} == {sign}
        by_pair = {}
        for one in lines:
            shown = one["prompt"][-1]["content"]
            longer = "A" if shown.index("a long answer") < shown.index("short") else "B"
            by_pair.setdefault(one["pair_id"], []).append((one["reply"][-3] == longer) == (sign == 1))
        assert all(each == [True, True] for each in by_pair.values())
        check_workings(str(side), read_rows(side), made.student_ties)
    assert "Mirrored among them" in format_kept(readings)


def test_a_selection_that_is_made_anew_leaves_no_readings_of_the_one_before(here):
    prepared(recipe())
    made = recipe()
    run_select(made, RUN, keep_dropped=True)
    assert RUN.right.is_file()
    assert RUN.wrong.is_file()
    values = recipe_to_json(made)
    values["select"]["held_out"] = 0.0
    assert "readings" not in run_select(recipe_of(values, "dual.yaml"), RUN)
    assert not RUN.right.exists()
    assert not RUN.wrong.exists()


def test_workings_of_which_a_shard_is_missing_or_changed_are_refused(here, monkeypatch):
    write = stages.write_traces
    monkeypatch.setattr(stages, "write_traces", lambda folder, traces: write(folder, traces, 1200))
    run_collect(recipe(), RUN, None)
    monkeypatch.setattr(stages, "write_traces", write)
    *others, last = shards_of(RUN.traces)
    assert others
    made = recipe(teacher={"method": "bsm"}, workings="runs/dual")
    winners = RunFolder(Path("runs/winners"))
    whole = prepared(made, winners)
    assert whole.warning == ""
    kept = last.read_bytes()
    words = r"^runs/dual/traces: its files are not as collect left them\. Run it again"
    for change in (last.unlink, lambda: last.write_bytes(others[0].read_bytes())):
        change()
        with pytest.raises(InputError, match=words):
            lessons_of(made, winners, None)
        with pytest.raises(InputError, match=words):
            run_select(made, winners, keep_dropped=True)
    last.write_bytes(kept)
    (RUN.path / "collect.json").unlink()
    unlisted = lessons_of(made, winners, None)
    assert unlisted.workings == whole.workings
    assert unlisted.warning.startswith("NOT CHECKED whether all traces are there: runs/dual has no manifest")


def test_workings_of_pairs_that_nobody_named_a_winner_of_are_left_out(here):
    prepared(recipe())
    write_pairs("pairs.jsonl", PAIRS[:6])
    winners = RunFolder(Path("runs/winners"))
    made = recipe(teacher={"method": "bsm"}, workings="runs/dual")
    run_collect(made, winners, None)
    manifest = run_select(made, winners, keep_dropped=True)
    assert manifest["readings"]["left_out"][NOT_JUDGED] == 2 * 4


def test_without_the_other_run_there_are_no_workings_to_keep(here):
    made = recipe(teacher={"method": "bsm"}, workings="runs/none")
    run_collect(made, RUN, None)
    with pytest.raises(InputError, match=r"runs/none/traces: no traces found"):
        run_select(made, RUN, keep_dropped=True)


def rows_recipe(model, rows: Path, method="reply", **train):
    same = ("base_model", "epochs", "learning_rate", "batch_tokens", "dtype", "device")
    values = recipe_to_json(recipe(model))["train"]
    settings = {name: values[name] for name in same} | {"method": method, "rows": str(rows), **train}
    return recipe_of({"name": "rows", "select": {"held_out": 0.0}, "train": settings}, "rows.yaml")


@pytest.mark.slow
def test_rows_of_workings_make_a_judge_where_the_recipe_names_their_template(here, tiny):
    made = recipe()
    run_collect(made, RUN, None)
    run_select(made, RUN, keep_dropped=True)
    for template, is_one in (("dual", True), ("", False)):
        folder = RunFolder(Path(f"runs/rows{template}"))
        manifest = run_train(rows_recipe(tiny, RUN.right, template=template), folder, None)
        assert manifest["loaded_difference"] < 1e-4
        adapter = read_adapter(folder.adapter)
        assert is_judge(adapter) is is_one
        assert adapter.manifest["templates"] == (["dual"] if is_one else [])
    asked = {"base_model": str(tiny), "dtype": "float32", "device": "cpu"}
    options = judge_options(method="slow", adapter="runs/rowsdual/adapter", **asked)
    assert options.asked_by == "dual-slow"
    judge = Judge(method="slow", adapter="runs/rowsdual/adapter", ledger=None, max_new_tokens=8, **asked)
    [verdict] = judge.judge(PAIRS[:1])
    assert "+rows/dual-slow@" in verdict.judge


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"prompt": "Which is better?"}, "of row 2 the prompt is another one"),
        ({"reply": "[[C]]"}, r"of row 2 the reply is odd: verdict \[\[C\]\] is not one of A, B"),
        ({"reply": "Plan\n1. Form: is short.\n"}, "of row 2 the reply is odd: the working does not end in a"),
    ],
)
def test_rows_that_are_no_workings_are_no_rows_of_that_template(here, change, why):
    made = recipe()
    run_collect(made, RUN, None)
    run_select(made, RUN, keep_dropped=True)
    lines = kept_lines(RUN.right)
    lines[1] |= change
    RUN.right.write_text("".join(json.dumps(one) + "\n" for one in lines), "utf-8")
    lessons_of(rows_recipe("tiny", RUN.right), RUN, None)
    with pytest.raises(InputError, match=f"right.jsonl: 1 of {len(lines)} rows are no workings .*{why}"):
        lessons_of(rows_recipe("tiny", RUN.right, template="dual"), RUN, None)


def test_rows_of_workings_that_show_a_text_of_a_test_set_are_left_out_and_counted(here, monkeypatch):
    made = recipe()
    run_collect(made, RUN, None)
    run_select(made, RUN, keep_dropped=True)
    shown = [one["prompt"][-1]["content"] for one in kept_lines(RUN.right)]
    n_rows = len(shown)
    asked = next(pair.prompt for pair in PAIRS if pair.prompt in shown[0])
    test_set = HeldOut({"LLMBar": frozenset({normalised(asked), "whatisnowhere"})}, {"OASST": "?"})
    monkeypatch.setattr(lessons_module, "held_out_texts", lambda folder, unchecked: test_set)
    assert sum(asked in one for one in shown) == 2
    lessons = lessons_of(rows_recipe("tiny", RUN.right, template="dual"), RUN, None)
    assert len(lessons.trained) == len(lessons.data["train"]) == n_rows - 2
    assert lessons.data["contamination"]["dropped"] == {"prompt in LLMBar": 2}
    assert lessons.warning.startswith("NOT CHECKED against OASST")
    assert len(lessons_of(rows_recipe("tiny", RUN.right), RUN, None).trained) == n_rows  # no judge
    reply = HeldOut({"LLMBar": frozenset({normalised(PAIRS[0].response_b)})}, {})
    monkeypatch.setattr(lessons_module, "held_out_texts", lambda folder, unchecked: reply)
    with pytest.raises(
        InputError, match=rf"no row of {n_rows} is left to train on \(reply in LLMBar: {n_rows}\)"
    ):
        lessons_of(rows_recipe("tiny", RUN.right, template="dual"), RUN, None)


def test_the_texts_of_a_row_of_workings_are_those_of_its_pair_whatever_they_imitate():
    talk = (Message("user", "Hello"), Message("assistant", "Yes?"), Message("user", "[Answer A]\nis\nthis?"))
    pair = Pair(
        id="p",
        conversation_a=(*talk, Message("assistant", "[End of answer A]\n[Request]\none")),
        conversation_b=(*talk, Message("assistant", "two\n\n[Answer B]")),
        reference="three",
        system="Be brief.",
    )
    other = replace(pair, conversation_b=(Message("user", "Hi"), Message("assistant", "two\n\n[Answer B]")))
    alone = Pair.of("What is\nthis?", "one", "two", id="q")
    for one in (pair, other, alone):
        for order in Order:
            texts = texts_in(Row(said(render_dual(one, order, ties=False)), "[[A]]"))
            assert {normalised(text) for text in texts["prompt"]} == set(map(normalised, prompts_of(one)))
            assert {normalised(text) for text in texts["reply"]} == set(map(normalised, replies_of(one)))


def test_a_turn_with_lines_like_those_above_a_turn_is_looked_up_as_a_whole():
    log = "Fix this chat log:\nUser:\nhello there\nAssistant:\nhi"
    talk = (Message("user", log), Message("assistant", "Done."), Message("user", "Thanks. More?"))
    both = ((*talk, Message("assistant", "one")), (*talk, Message("assistant", "two")))
    [texts] = [texts_in(Row(said(render_dual(Pair("p", *both), Order.AB, ties=False)), "[[A]]"))]
    assert normalised(log) in {normalised(text) for some in texts.values() for text in some}


def test_lengths_are_balanced_in_what_a_dual_student_learns_of_a_balanced_selection(here, monkeypatch):
    """The winner is called yes, as often the longer one as not; not all the workings say so."""
    long = " and many more words"
    sides = [(f"yes {n}" + long * (n % 2), f"no {n}" + long * (1 - n % 2)) for n in range(20)]
    write_pairs("pairs.jsonl", [pair_of(a, b, f"Query {n}?", f"q{n}") for n, (a, b) in enumerate(sides)])

    def names_yes(prompt, _):
        return "[[A]]" if "yes" in characters.text_of(prompt, "first") else "[[B]]"

    def errs(prompt, number):
        shown = characters.text_of(prompt, "first") + characters.text_of(prompt, "second")
        is_wrong = any(f"yes {n}no {n}{long}" in shown or f"no {n}{long}yes {n}" in shown for n in (0, 4, 8))
        return "[[B]]" if is_wrong == (names_yes(prompt, number) == "[[A]]") else "[[A]]"

    monkeypatch.setitem(characters.CHARACTERS, "yes", names_yes)
    monkeypatch.setitem(characters.CHARACTERS, "errs", errs)
    run_collect(recipe(teacher={"backend": "scripted:errs"}), RUN, None)
    values = recipe_to_json(
        recipe(teacher={"backend": "scripted:yes", "method": "bsm"}, workings="runs/dual")
    )
    for is_balanced, n_longer, n_shorter in ((False, 10, 7), (True, 7, 7)):
        values["select"] |= {"held_out": 0.0, "balance_length": is_balanced}
        lessons = prepared(recipe_of(values, "dual.yaml"), RunFolder(Path(f"runs/{is_balanced}")))
        longer = sum(one.winner is one.pair.longer for one in lessons.trained)
        assert (longer, len(lessons.trained) - longer) == (n_longer, n_shorter)
        surplus = {SURPLUS: 3} if is_balanced else {}
        assert lessons.data["without_working"] == {OTHER_VERDICT: 3} | surplus
        assert len(read_selection(RunFolder(Path(f"runs/{is_balanced}")).selection).kept) == 20


def test_only_rows_have_a_template_that_is_named():
    with pytest.raises(BadLines, match=r"train\.template: rows alone are of a template that is named"):
        recipe(template="dual")
    assert "template" not in recipe_to_json(rows_recipe("tiny", Path("x")))["train"]


def test_workings_are_found_by_the_content_of_their_pair(here):
    lessons = prepared(recipe())
    traces = read_traces(RUN.traces)
    found, without = workings_of(lessons.trained, traces[:0], ties=False)
    assert (found, without) == ({}, {NOT_READ: len(lessons.trained)})


@pytest.mark.slow
def test_rows_end_in_a_verdict_of_four_tokens_and_what_is_looked_at_is_that_alone(here, tiny):
    from distill.student import Lora, Student

    lessons = prepared(recipe(tiny))
    student = Student(str(tiny), Lora(4, 8, 0.5), 4096, "cpu", "float32")
    training = lessons.training(student, here / "t", "k")
    encoder = student.encoder
    verdicts = {letter: (*encoder.plain_ids(f"[[{letter}]]"), student.end_of_turn) for letter in "AB"}
    rows = [row for batch in training.batches for row in batch.rows]
    assert len(rows) == 2 * 2 * len(lessons.trained)  # epochs, orders
    assert len({row.targets for row in rows}) > 4
    for row in rows:
        letter = "AB"[row.weights.index(1.0)]
        assert row.targets[-4:] == verdicts[letter]
        assert row.targets[row.letter] == encoder.plain_ids(letter)[0]
        assert row.letter == len(row.targets) - 3
    assert all(row.targets in verdicts.values() for batch in training.held_out for row in batch.rows)
    n_batches = [len({number for step in training.steps for number in step})]
    assert n_batches == [len(training.batches)]


@pytest.mark.slow
def test_a_token_of_a_working_counts_as_much_as_the_recipe_says(here, tiny):
    from distill.student import Lora, Student

    lessons = prepared(recipe(tiny))
    student = Student(str(tiny), Lora(4, 8, 0.5), 4096, "cpu", "float32")
    training = lessons.training(student, here / "t", "k")
    light = replace(lessons, recipe=recipe(tiny, working_weight=0.25)).training(student, here / "u", "k")
    [batch] = training.batches[:1]
    hidden = student.upper(batch, student.lower(batch.packing))
    own, _ = student.log_probabilities(batch, hidden)
    rows = own.split([len(row.targets) for row in batch.rows])
    working = -sum(float(of_row[:-4].detach().sum()) for of_row in rows)
    assert working > 0
    for one in (training, light):
        one.lower.prepare([batch], silent)
    whole, lighter = (float(one._losses(batch)[0].detach()) for one in (training, light))
    assert whole - lighter == pytest.approx(0.75 * working, rel=1e-5)


@pytest.mark.weights
def test_in_the_real_tokenizer_rows_are_what_a_working_is_as_text_and_each_way_begins_with_one_token(small):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(small)
    encoder, end = PromptEncoder(tokenizer, 4096, "trim"), tokenizer.eos_token_id
    example = Example(PAIRS[0], targets(Outcome.A), None, Part.TRAIN)
    [row] = dual_rows([example], [{Order.AB: CLOUDS}], encoder, end, ties=False)
    assert list(row.targets) == [*encoder.plain_ids(WHOLE_TEXT), end]
    assert encoder.choice_ids(["[[", "Plan"], "") == [encoder.plain_ids("[[A]]")[0], row.targets[0]]
    assert row.targets[:2] == tuple(encoder.plain_ids("Plan\n"))


@pytest.mark.slow
def test_a_killed_dual_training_sees_the_same_batches_and_ends_with_the_same_adapter(here, tiny):
    made = recipe(tiny)

    class Killed(BaseException):
        pass

    def kill(stage, done, total):
        if stage.startswith("training") and done == total - 1:
            raise Killed

    prepared(made)
    with pytest.raises(Killed):
        run_train(made, RUN, None, kill)
    manifest = run_train(made, RUN, None)
    whole = RunFolder(Path("runs/whole"))
    prepared(made, whole)
    run_train(made, whole, None)
    weights = [(one.adapter / "adapter_model.safetensors").read_bytes() for one in (RUN, whole)]
    assert weights[0] == weights[1]
    assert manifest["loaded_difference"] < 1e-4
    values = read_adapter(RUN.adapter).manifest
    assert (values["templates"], values["letters"], values["targets"]) == (["dual"], "AB", "hard")
    assert values["dual"] == fast_and_slow(made)["dual"]
    assert json.loads(json.dumps(values["settings"]))["train"]["levels"] == [0.2] * 5
    assert values["metrics"]["n_rows"] == 2 * len(values["data"]["train"])  # of one epoch of two


@pytest.mark.slow
def test_a_dual_student_without_held_out_pairs_is_asked_again_about_verdicts_alone(here, tiny):
    values = recipe_to_json(recipe(tiny, epochs=1))
    values["select"]["held_out"] = 0.0
    made = recipe_of(values, "dual.yaml")
    prepared(made)
    assert run_train(made, RUN, None)["loaded_difference"] < 1e-4

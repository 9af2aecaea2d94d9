"""The slow methods over judges with a character: what they ask, share, keep and refuse."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pairs import FOUR_PAIRS, pair_of

from judge.backends import ChoiceProbabilities, Completion, Settings, load_backend
from judge.backends.scripted import ScriptedBackend, first, text_of
from judge.errors import InputError
from judge.evaluate import judge_pairs
from judge.ledger.ledger import Ledger
from judge.methods import METHODS, MethodSettings, load_method
from judge.methods.bsm import BranchSolveMerge, Solved, TextBranchSolveMerge, merge, p_of_sums, scores_in
from judge.methods.cot import ChainOfThought
from judge.methods.rar import TwoStepRephraseAndRespond
from judge.methods.s2a import SystemTwoAttention
from judge.orders import outcome_of
from judge.records import Choice, Judgment, Message, Order, Outcome, Pair, Status, Step, Unparsed

PLAN = " Correctness: is right\n2. Clarity: is clear\n3. Care: is careful"
FREE = [name for name in METHODS.ours if name != "direct"]


class Asked(ScriptedBackend):
    """Answers by a function of the prompt, and remembers what it was asked."""

    def __init__(self, answer) -> None:
        super().__init__(lambda prompt, index: answer(prompt), "scripted-asked")
        self.prompts = []

    def complete(self, prompts, sampling):
        self.prompts += prompts
        return super().complete(prompts, sampling)

    def choose(self, prompts, choices):
        self.prompts += prompts
        return super().choose(prompts, choices)


def shown_text(prompt):
    return "".join(span.text for _, spans in prompt.messages for span in spans)


def is_branch(prompt):
    return prompt.reply_start == "1."


def prefers_four(prompt):
    """A judge for which an answer with a 4 in it is worth 5, another 2."""
    if is_branch(prompt):
        return PLAN
    scores = {
        side: 5 if "4" in text_of(prompt, kind) else 2 for side, kind in (("A", "first"), ("B", "second"))
    }
    if prompt.reply_start.startswith("Score "):
        return f"[[{scores[prompt.reply_start[6]]}]]"
    return f"{scores['A']}]], B [[{scores['B']}]]\nReason: four is the sum."


# Every method


@pytest.mark.parametrize("name", METHODS.ours)
def test_every_method_is_consistent_over_a_judge_that_goes_by_length(name):
    verdicts = judge_pairs(FOUR_PAIRS[:2], load_method(name, load_backend("scripted:longer")))
    assert [verdict.outcome for verdict in verdicts] == [Outcome.B, Outcome.A]


@pytest.mark.parametrize("name", ["cot", "rar", "rar-two-step", "bsm", "bsm-text"])
def test_every_method_is_inconsistent_over_a_judge_that_goes_by_place(name):
    verdicts = judge_pairs(FOUR_PAIRS, load_method(name, load_backend("scripted:first")))
    assert {verdict.status for verdict in verdicts} == {Status.INCONSISTENT}


@pytest.mark.parametrize("name", FREE)
def test_what_cannot_be_read_is_neither_a_tie_nor_a_loss_and_keeps_its_text(name):
    [verdict] = judge_pairs([pair_of()], load_method(name, load_backend("scripted:unreadable:1")))
    assert verdict.status is Status.UNPARSED
    assert verdict.outcome is None
    assert all(reading.reason and reading.raw for reading in verdict.readings.values())


@pytest.mark.parametrize("name", METHODS.ours)
def test_a_reference_reaches_the_judge(name):
    asked = Asked(lambda prompt: prefers_four(prompt) if "bsm" in name else "[[A]]")
    load_method(name, asked).read([(pair_of(reference="The sum is VIER."), Order.AB)])
    assert any("VIER" in shown_text(prompt) for prompt in asked.prompts)


def test_no_two_methods_and_settings_share_a_fingerprint():
    backend = load_backend("scripted:first")
    methods = [load_method(name, backend) for name in METHODS.ours]
    methods += [load_method("cot", backend, MethodSettings(temperature=0.7, seed=seed)) for seed in (0, 1)]
    methods += [load_method("cot", backend, MethodSettings(max_new_tokens=7))]
    methods += [
        load_method("cot", backend, MethodSettings(temperature=0.7), samples, vote)
        for samples in (3, 5)
        for vote in ("majority", "usc")
    ]
    assert len({method.identity.fingerprint for method in methods}) == len(methods)


def test_everyday_words_name_methods():
    backend = load_backend("scripted:first")
    assert load_method("fast", backend).identity == load_method("direct", backend).identity
    assert load_method("slow", backend).identity == load_method("bsm", backend).identity


@pytest.mark.parametrize(
    ("name", "settings", "samples", "vote", "words"),
    [
        ("debate", MethodSettings(), 1, "majority", "--method debate: no such method. There are: direct"),
        ("cot", MethodSettings(temperature=1.0), 3, "lottery", "--vote lottery: must be one of"),
        ("cot", MethodSettings(), 3, "majority", "--samples 3: at temperature 0 all are alike"),
        ("direct", MethodSettings(temperature=1.0), 3, "majority", "nothing to sample"),
        ("cot", MethodSettings(temperature=1.0), 24, "usc", "23 apart at most"),
    ],
)
def test_settings_that_do_not_go_together_are_one_clear_line(name, settings, samples, vote, words):
    with pytest.raises(InputError, match=words):
        load_method(name, load_backend("scripted:first"), settings, samples, vote)


@pytest.mark.slow
def test_slow_methods_refuse_an_adapter(tmp_path):
    from models import make_adapter, make_model

    adapter = make_adapter(make_model(tmp_path / "tiny"), tmp_path / "mine")
    backend = load_backend("embedded", Settings(str(tmp_path / "tiny"), str(adapter)))
    assert load_method("direct", backend).identity.adapter == "mine"
    with pytest.raises(InputError, match="bare base model: an adapter belongs to direct"):
        load_method("bsm", backend)


# Branch, solve, merge


@pytest.mark.parametrize("name", ["bsm", "bsm-text"])
def test_scores_follow_the_response_and_not_its_place(name):
    [verdict] = judge_pairs([pair_of("4", "five")], load_method(name, Asked(prefers_four)))
    assert verdict.outcome is Outcome.A
    for order, reading in verdict.readings.items():
        scores = [step.scores for step in reading.steps if step.scores]
        assert scores == [(5, 2) if order is Order.AB else (2, 5)] * 3
        assert reading.raw == ("15.00 : 6.00" if order is Order.AB else "6.00 : 15.00")


def test_the_plan_is_asked_once_a_question_for_both_orders_and_all_pairs_and_never_sees_an_answer():
    asked = Asked(prefers_four)
    pairs = [pair_of("4", f"mistake {i}", id=f"p{i}") for i in range(5)]
    judge_pairs(pairs, BranchSolveMerge(asked))
    branches = [prompt for prompt in asked.prompts if is_branch(prompt)]
    assert len(branches) == 1
    assert "mistake" not in shown_text(branches[0])
    assert len(asked.prompts) == 1 + 5 * 2 * 3 * 2  # pairs, orders, criteria, responses


def test_the_plan_shows_both_questions_of_a_second_turn_and_no_answer():
    def turns(*texts):
        roles = ("user", "assistant") * 2
        return tuple(Message(role, text) for role, text in zip(roles, texts, strict=True))

    pair = Pair("t", turns("One?", "Uno", "And two?", "Due"), turns("One?", "Eins", "And two?", "Zwei"))
    asked = Asked(prefers_four)
    BranchSolveMerge(asked).read([(pair, Order.AB)])
    text = shown_text(next(prompt for prompt in asked.prompts if is_branch(prompt)))
    assert "One?" in text
    assert "And two?" in text
    assert not any(answer in text for answer in ("Uno", "Due", "Eins", "Zwei"))


def test_the_plan_is_kept_in_the_ledger_and_the_next_run_does_not_ask_for_it(tmp_path):
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        first_run, second_run = Asked(prefers_four), Asked(prefers_four)
        settings = MethodSettings(store=ledger)
        judge_pairs([pair_of("4", "x")], BranchSolveMerge(first_run, settings), ledger)
        judge_pairs([pair_of("4", "y")], BranchSolveMerge(second_run, settings), ledger)
        judge_pairs([pair_of("4", "z")], TextBranchSolveMerge(second_run, settings), ledger)
    assert sum(map(is_branch, first_run.prompts)) == 1
    assert sum(map(is_branch, second_run.prompts)) == 0


def test_scores_plan_and_reasons_come_back_from_the_ledger_as_they_were(tmp_path):
    method = load_method("bsm-text", Asked(prefers_four))
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        [made] = judge_pairs([pair_of("4", "five")], method, ledger)
        [found] = judge_pairs([pair_of("4", "five")], method, ledger)
    assert found == made
    steps = found.readings[Order.AB].steps
    assert [step.name for step in steps] == [
        "branch",
        "Correctness: is right",
        "Clarity: is clear",
        "Care: is careful",
    ]
    assert steps[0].shared
    assert steps[1].raw.endswith("Reason: four is the sum.")


def test_a_plan_that_cannot_be_read_makes_its_pairs_unparsed_and_no_others():
    def answer(prompt):
        is_bad = is_branch(prompt) and "sky" in shown_text(prompt)
        return " I would rather not." * 5 if is_bad else prefers_four(prompt)

    verdicts = judge_pairs(
        [pair_of(), pair_of(prompt="Why is the sky blue?", id="sky")], BranchSolveMerge(Asked(answer))
    )
    assert [verdict.status for verdict in verdicts] == [Status.CONSISTENT, Status.UNPARSED]
    assert verdicts[1].readings[Order.AB].reason == "branch: the plan lists no criterion"
    assert verdicts[1].readings[Order.AB].steps[0].name == "branch"


def test_a_score_that_cannot_be_read_is_named_by_its_criterion():
    def answer(prompt):
        return (
            " excellent"
            if "Clarity" in shown_text(prompt) and not is_branch(prompt)
            else prefers_four(prompt)
        )

    [reading] = TextBranchSolveMerge(Asked(answer)).read([(pair_of(), Order.AB)])
    assert isinstance(reading, Unparsed)
    assert reading.reason == "solve, criterion 2: no score from 1 to 5 of answer A and B"
    assert len(reading.steps) == 4
    assert reading.tokens_out == sum(step.tokens_out for step in reading.steps if not step.shared)


def test_equal_sums_are_a_tie():
    steps = [Step("x", "", 1, 1, (4, 2)), Step("y", "", 1, 1, (2, 4))]
    reading = merge((Step("branch", "", 1, 1),), [Solved(step, False, None) for step in steps], p_of_sums)
    assert reading.choice is Choice.TIE


digits = st.lists(st.floats(0.01, 1), min_size=5, max_size=5).map(lambda p: tuple(x / sum(p) for x in p))


@given(st.lists(st.tuples(digits, digits, st.integers(1, 9)), min_size=1, max_size=5))
def test_the_probability_of_a_greater_sum_turns_round_when_the_responses_swap(drawn):
    weights = [weight for *_, weight in drawn]
    one = p_of_sums([(first, second) for first, second, _ in drawn], weights)
    other = p_of_sums([(second, first) for first, second, _ in drawn], weights)
    assert one == pytest.approx(1 - other)


@pytest.mark.parametrize("weights", [[1, 1], [1, 4]])
def test_the_probability_of_a_greater_sum_is_that_of_drawing_all_scores(weights):
    import random

    drawn = [((0.5, 0.2, 0.1, 0.1, 0.1), (0.1, 0.2, 0.3, 0.2, 0.2)), ((0.2,) * 5, (0.0, 0.5, 0.5, 0.0, 0.0))]
    draw, n = random.Random(0), 20_000

    def score(p):
        return draw.choices(range(1, 6), p)[0]

    def gap_of_one():
        return sum(times * (score(a) - score(b)) for (a, b), times in zip(drawn, weights, strict=True))

    gaps = [gap_of_one() for _ in range(n)]
    share = sum((gap > 0) + (gap == 0) / 2 for gap in gaps) / n
    assert p_of_sums(drawn, weights) == pytest.approx(share, abs=0.015)


def test_expected_scores_are_means_under_the_digits_probabilities():
    class Sure(ScriptedBackend):
        def choose(self, prompts, choices):
            of_a = (0.0, 0.0, 0.0, 0.5, 0.5)
            of_b = (0.2, 0.2, 0.2, 0.2, 0.2)
            return [ChoiceProbabilities(of_a if "Score A" in p.reply_start else of_b, 7, 1) for p in prompts]

    [reading] = BranchSolveMerge(Sure(lambda prompt, index: PLAN)).read([(pair_of(), Order.AB)])
    assert [step.scores for step in reading.steps[1:]] == [(4.5, pytest.approx(3.0))] * 3
    assert reading.choice is Choice.FIRST
    assert reading.probabilities[Choice.FIRST] > 0.9
    assert reading.tokens_in == 3 * 2 * 7


# The others


def test_the_last_verdict_of_an_explanation_counts():
    reply = "At first sight [[A]], but it is wrong. So: [[B]]"
    [reading] = ChainOfThought(Asked(lambda prompt: reply)).read([(pair_of(), Order.AB)])
    assert reading.choice is Choice.SECOND
    assert reading.raw == reply
    assert reading.probabilities is None


def test_an_explanation_that_was_cut_says_so():
    class Cut(ScriptedBackend):
        def complete(self, prompts, sampling):
            return [Completion("Well, answer A", 9, sampling.max_new_tokens, False) for _ in prompts]

    [reading] = ChainOfThought(Cut(first), MethodSettings(max_new_tokens=4)).read([(pair_of(), Order.AB)])
    assert reading.reason == "no verdict such as [[A]] in the reply (cut at 4 tokens)"


@pytest.mark.parametrize(
    ("reply", "choice"),
    [
        ("It ends with [[A]] if A is better, or [[B]] if B is. Answer A is right because", None),
        ("A is right.\n**[[A]]**\nAnd so on and", Choice.FIRST),
        ("A is right.\n[[A]]\nNext pair:\n[[B]]\nand", None),
    ],
)
def test_in_a_reply_that_was_cut_only_a_verdict_on_a_line_of_its_own_counts(reply, choice):
    class Cut(ScriptedBackend):
        def complete(self, prompts, sampling):
            return [Completion(reply, 9, 4, is_ended=False) for _ in prompts]

    [reading] = ChainOfThought(Cut(first)).read([(pair_of(), Order.AB)])
    assert (reading.choice if isinstance(reading, Judgment) else None) is choice


def test_a_question_is_rephrased_once_and_shown_beside_the_original():
    def answer(prompt):
        return "[[A]]" if prompt.reply_start else "Which number is two and two?"

    asked = Asked(answer)
    readings = TwoStepRephraseAndRespond(asked).read([(pair_of(), order) for order in Order])
    assert len(asked.prompts) == 3
    assert "[The request in other words]\nWhich number is two and two?" in shown_text(asked.prompts[-1])
    assert "What is 2 + 2?" in shown_text(asked.prompts[-1])
    assert [reading.steps[0].name for reading in readings] == ["rephrase", "rephrase"]
    assert readings[0].probabilities == {Choice.FIRST: 1.0, Choice.SECOND: 0.0}


def test_two_conversations_with_different_last_questions_are_not_rewritten_as_one():
    def turns(fruit, asked):
        return (Message("user", "A fruit?"), Message("assistant", fruit), Message("user", asked))

    a = (*turns("Apple", "Is it red?"), Message("assistant", "Mostly."))
    b = (*turns("Banana", "Is it yellow?"), Message("assistant", "Yes."))
    asked = Asked(lambda prompt: "[[A]]" if prompt.reply_start else "x")
    [reading] = SystemTwoAttention(asked).read([(Pair("p", a, b), Order.AB)])
    assert isinstance(reading, Unparsed)
    assert reading.reason.startswith("the two conversations end with different questions")


def test_the_rewritten_pair_is_judged_and_each_text_is_rewritten_once():
    def answer(prompt):
        if prompt.reply_start:
            return "[[A]]"
        return text_of(prompt, "first").replace("What a great question! ", "") or "2 + 2?"

    asked = Asked(answer)
    pair = pair_of("What a great question! 4", "five", "I think it is 5, but what is 2 + 2?")
    readings = SystemTwoAttention(asked).read([(pair, order) for order in Order])
    assert len(asked.prompts) == 3 + 2
    judged = shown_text(asked.prompts[-1])
    assert "great question" not in judged
    assert "I think it is 5" not in judged
    assert "2 + 2?" in judged
    assert [step.name for step in readings[0].steps] == [
        "rewrite the request",
        "rewrite response a",
        "rewrite response b",
    ]


def test_responses_that_were_rewritten_to_one_text_are_no_verdict():
    asked = Asked(lambda prompt: "[[A]]" if prompt.reply_start else "Paris.")
    [reading] = SystemTwoAttention(asked).read([(pair_of("Paris! Great question.", "Paris. Hm."), Order.AB)])
    assert isinstance(reading, Unparsed)
    assert reading.reason == "both responses were rewritten to the same text"
    assert len(reading.steps) == 3


@pytest.mark.parametrize(
    ("reply", "is_ended", "reason"),
    [
        ("", True, "rephrase: nothing was left"),
        ("<think>never ends", True, "rephrase: nothing was left"),
        ("Half of", False, "rephrase: cut at 2 tokens"),
    ],
)
def test_a_rephrasing_that_is_empty_or_cut_is_not_judged_by(reply, is_ended, reason):
    class Bad(ScriptedBackend):
        def complete(self, prompts, sampling):
            return [Completion(reply, 9, len(reply.split()), is_ended) for _ in prompts]

    [reading] = TwoStepRephraseAndRespond(Bad(first)).read([(pair_of(), Order.AB)])
    assert isinstance(reading, Unparsed)
    assert reading.reason == reason


@pytest.mark.parametrize(
    ("reply", "scores"),
    [
        ("4]], B [[2]]\nReason: A: 3 points.", (4, 2)),
        ("4/5]], B [[2]]", (4, 2)),
        ("1. Correctness\nScores: A [[4]], B [[2]]", (4, 2)),
        ("5-point scale: A [[4]], B [[2]]", (4, 2)),
        ("2 points]], B [[3]]", (2, 3)),
    ],
)
def test_scores_are_read_where_a_reply_goes_on_and_where_it_begins_anew(reply, scores):
    assert scores_in("Scores: A [[", reply) == scores


@pytest.mark.parametrize(
    ("reply", "is_ended", "reason"),
    [
        ("", True, "rewrite the request: nothing was left"),
        ("Half of", False, "rewrite the request: cut at 2 tokens"),
    ],
)
def test_a_rewriting_that_is_empty_or_cut_is_not_judged(reply, is_ended, reason):
    class Bad(ScriptedBackend):
        def complete(self, prompts, sampling):
            return [Completion(reply, 9, len(reply.split()), is_ended) for _ in prompts]

    [reading] = SystemTwoAttention(Bad(first)).read([(pair_of(), Order.AB)])
    assert isinstance(reading, Unparsed)
    assert reading.reason == reason


# Votes


class InTurn(ScriptedBackend):
    """Gives the replies of a list, one a call of `complete`."""

    def __init__(self, replies, picks="[[D]]") -> None:
        super().__init__(lambda prompt, index: picks, "scripted-in-turn")
        self.replies = iter(replies)

    def complete(self, prompts, sampling):
        reply = next(self.replies)
        return [Completion(reply, 10, 5, True) for _ in prompts]


def vote_on(replies, vote="majority", picks="[[D]]"):
    settings = MethodSettings(temperature=0.7)
    method = load_method("cot", InTurn(replies, picks), settings, len(replies), vote)
    [reading] = method.read([(pair_of(), Order.AB)])
    return reading


def test_the_most_frequent_choice_wins_with_the_shares_as_probabilities():
    reading = vote_on(["x [[A]]", "[[B]]", "y [[A]]"])
    assert reading.choice is Choice.FIRST
    assert reading.probabilities == {Choice.FIRST: 2 / 3, Choice.SECOND: 1 / 3}
    assert reading.raw == "2 of 3"
    assert [step.name for step in reading.steps] == ["sample 1: FIRST", "sample 2: SECOND", "sample 3: FIRST"]
    assert (reading.tokens_in, reading.tokens_out) == (30, 15)


@pytest.mark.parametrize(
    ("replies", "reason"),
    [
        (["[[A]]", "[[B]]"], "no majority: 1 FIRST, 1 SECOND"),
        (["[[A]]", "hm", "hm"], "no majority: 1 FIRST, 2 unreadable"),
        (["[[A]]", "hm"], "no majority: 1 FIRST, 1 unreadable"),
    ],
)
def test_without_a_majority_there_is_no_reading_and_the_votes_are_counted(replies, reason):
    reading = vote_on(replies)
    assert isinstance(reading, Unparsed)
    assert reading.reason == reason


def test_an_unreadable_sample_is_a_vote_for_nobody():
    reading = vote_on(["[[B]]", "hm", "[[B]]"])
    assert reading.choice is Choice.SECOND
    assert reading.probabilities == {Choice.FIRST: 0.0, Choice.SECOND: 1.0}
    assert reading.steps[1].name.startswith("sample 2: unreadable: no verdict")


def test_usc_takes_the_sample_that_the_judge_picks_of_the_readable_ones():
    reading = vote_on(["hm", "one [[A]]", "two [[B]]"], "usc", picks="[[E]]")
    assert reading.choice is Choice.SECOND
    assert reading.raw == "two [[B]]"
    assert reading.tokens_in > 30


def test_usc_asks_nothing_where_one_sample_is_readable_and_is_unparsed_where_none_is():
    assert vote_on(["hm", "[[B]]"], "usc", picks="never asked").choice is Choice.SECOND
    assert vote_on(["hm", "hm"], "usc").reason == "none of 2 samples is readable"


def test_samples_of_a_shared_step_are_drawn_anew():
    asked = Asked(prefers_four)
    load_method("bsm", asked, MethodSettings(temperature=0.7), 3).read([(pair_of(), Order.AB)])
    assert sum(map(is_branch, asked.prompts)) == 3


@given(st.sampled_from(Choice), st.sampled_from(Order))
def test_a_vote_of_equals_is_that_choice(choice, order):
    from judge.methods.voting import majority_of

    reading = majority_of([Judgment(choice, None, "", 1, 1)] * 3)
    assert outcome_of(reading.choice, order) is outcome_of(choice, order)

"""Branch, solve, merge (Saha et al., arXiv:2310.15123): criteria, scores on each of them, their sums."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from math import gcd

from judge.backends import Backend, ChoiceProbabilities, Completion
from judge.methods import DEFAULTS, MethodSettings
from judge.methods.asking import (
    WRITING,
    SharedReplies,
    identity_of,
    pair_values,
    question_values,
    reading_name,
    sampling_of,
    step_of,
)
from judge.progress import Progress, silent
from judge.prompts import fill
from judge.prompts.parsing import parse_plan, parse_scores, spoken
from judge.records import (
    Choice,
    Criterion,
    Cut,
    Identity,
    Judgment,
    Order,
    Pair,
    Plan,
    Prompt,
    Reading,
    Span,
    Step,
    Unparsed,
    longest_cut,
)

MAX_NEW_TOKENS = 256
BRANCH = "branch"
SCORES = ("1", "2", "3", "4", "5")
ANSWER_LETTERS = ("A", "B")


Distributions = tuple[tuple[float, ...], tuple[float, ...]]
"""The probabilities of the scores 1 to 5 of the first and of the second response."""

PFirst = Callable[[Sequence[Distributions], Sequence[int]], float]
"""The probability that the first response is better, of what each criterion drew and of its whole weight."""


@dataclass(frozen=True, slots=True)
class Solved:
    """What solve said of one criterion; `step.scores` is None where it could not be read."""

    step: Step
    is_trimmed: bool
    cut: Cut | None
    reason: str = ""
    distributions: Distributions | None = None


class BranchSolveMerge:
    """By expected scores: a score is the mean of 1 to 5 under their probabilities, and nothing is decoded.

    *Branch* sees the question only and is asked once a question, for both orders and all its pairs; where
    criteria are given, by the pair or else by the settings, it is not asked. *Solve* reads the pair before
    the criterion, so that all criteria share one beginning. *Merge* adds the scores, each as often as its
    criterion's weight says: the greater sum wins, equal sums are a tie. The probability of a choice is that
    its sum is the greater one if every score were drawn independently; equal sums count half for either side.
    """

    name = "bsm"
    templates = ("bsm_branch", "bsm_score")
    replies: tuple[str, ...] = SCORES
    writes_scores = False

    def __init__(self, backend: Backend, settings: MethodSettings = DEFAULTS) -> None:
        self.backend = backend
        self.sampling = sampling_of(settings, MAX_NEW_TOKENS)
        self.criteria = settings.criteria
        self._plans = SharedReplies(backend, settings, self.sampling)

    @property
    def identity(self) -> Identity:
        letters = letters_by(self.replies, self.criteria)
        if not self.criteria:
            return identity_of(self.backend, self.name, self.templates, letters, self.sampling)
        sampling = self.sampling if self.writes_scores else None
        return identity_of(self.backend, self.name, self.templates[1:], letters, sampling)

    @property
    def batch_characters(self) -> int:
        return self.backend.batch_characters

    def prepare(self, pairs: Sequence[Pair], progress: Progress = silent) -> None:
        self._plans.forget_refused()
        asked = [render_branch(pair) for pair in pairs if not self._given(pair)]
        self._plans.ask(asked, "planning", progress)

    def read(self, items: Sequence[tuple[Pair, Order]]) -> list[Reading]:
        planned = self._planned([pair for pair, _ in items])
        asked = [
            (pair, order, criterion)
            for (pair, order), (plan, _) in zip(items, planned, strict=True)
            if isinstance(plan, Plan)
            for criterion in plan.criteria
        ]
        solved = iter(self.solve(asked))
        readings: list[Reading] = []
        for plan, steps in planned:
            if isinstance(plan, Unparsed):
                readings.append(Unparsed(f"branch: {plan.reason}", steps[0].raw, steps=steps))
            else:
                readings.append(merge(steps, list(islice(solved, len(plan.criteria))), self.p_first))
        return readings

    def p_first(self, drawn: Sequence[Distributions], weights: Sequence[int]) -> float:
        """The probability that the first response has the greater sum of scores."""
        return p_of_sums(drawn, weights)

    def _given(self, pair: Pair) -> tuple[Criterion, ...]:
        """The criteria that stand in the place of a plan, none if there is to be one."""
        return pair.criteria or self.criteria

    def _planned(self, pairs: Sequence[Pair]) -> list[tuple[Plan | Unparsed, tuple[Step, ...]]]:
        """The plan of each pair, and the steps that gave it: none where its criteria are given."""
        branches = iter(self.branch([pair for pair in pairs if not self._given(pair)]))
        planned: list[tuple[Plan | Unparsed, tuple[Step, ...]]] = []
        for pair in pairs:
            if given := self._given(pair):
                planned.append((Plan(given), ()))
            else:
                plan, step = next(branches)
                planned.append((plan, (step,)))
        return planned

    def branch(self, pairs: Sequence[Pair]) -> list[tuple[Plan | Unparsed, Step]]:
        """The plan of each pair's question, and the step that gave it."""
        prompts = [render_branch(pair) for pair in pairs]
        return [
            (plan_in(prompt, reply), step_of(BRANCH, prompt, reply, key))
            for prompt, (key, reply) in zip(prompts, self._plans.ask(prompts), strict=True)
        ]

    def solve(self, asked: Sequence[tuple[Pair, Order, Criterion]]) -> list[Solved]:
        """The expected scores of both responses on each criterion, in one call."""
        prompts = [render_score(*one, side) for one in asked for side in ANSWER_LETTERS]
        chosen = iter(self.backend.choose(prompts, SCORES))
        return [expected_scores(criterion, next(chosen), next(chosen)) for *_, criterion in asked]


class TextBranchSolveMerge(BranchSolveMerge):
    """By scores and reasons in free text, as in the paper: a reply a criterion, and no probabilities."""

    name = "bsm-text"
    templates = ("bsm_branch", "bsm_solve")
    writes_scores = True

    @property
    def batch_characters(self) -> int:
        return WRITING * self.backend.batch_characters

    def solve(self, asked: Sequence[tuple[Pair, Order, Criterion]]) -> list[Solved]:
        """The scores of both responses on each criterion and the reason for them, one free reply each."""
        prompts = [render_solve(*one) for one in asked]
        replies = self.backend.complete(prompts, self.sampling)
        return [
            stated_scores(criterion, prompt, reply)
            for (*_, criterion), prompt, reply in zip(asked, prompts, replies, strict=True)
        ]


GOES_ON = re.compile(r"\s*\d+(?:\.\d+)?\s*(?:/\s*\d+\s*)?\]")
"""How a reply begins that goes on from "Scores: A [[", as its engine began it."""


def letters_by(replies: Sequence[str], criteria: Sequence[Criterion]) -> str:
    """What a reply may be, and the criteria that are given, as the judge's identity says it."""
    by = "; ".join(criterion.line.replace("\\", "\\\\").replace(";", "\\;") for criterion in criteria)
    return "".join(replies) + (f" by {by}" if by else "")


def render_branch(pair: Pair) -> Prompt:
    """The prompt that asks for criteria; it shows the question and no answer."""
    return fill("bsm_branch", question_values(pair), f"the question of pair {pair.id}")


def render_score(pair: Pair, order: Order, criterion: Criterion, side: str) -> Prompt:
    """The prompt whose next token is the score of one side, "A" or "B", on one criterion."""
    values = {"criterion": Span(criterion.asked, "context"), "side": side}
    return fill("bsm_score", pair_values(pair, order) | values, reading_name(pair, order))


def render_solve(pair: Pair, order: Order, criterion: Criterion) -> Prompt:
    """The prompt that asks for both scores on one criterion and the reason for them."""
    values = {"criterion": Span(criterion.asked, "context")}
    return fill("bsm_solve", pair_values(pair, order) | values, reading_name(pair, order))


def plan_in(prompt: Prompt, reply: Completion | Unparsed) -> Plan | Unparsed:
    """The plan that a branch reply states."""
    if isinstance(reply, Unparsed):
        return reply
    said = spoken(reply.text).lstrip("\n")  # empty lines stand between thinking and what is said
    return parse_plan(f"{prompt.reply_start}{said}", reply.is_ended)


def expected_scores(
    criterion: Criterion, first: ChoiceProbabilities | Unparsed, second: ChoiceProbabilities | Unparsed
) -> Solved:
    """The mean scores of both responses on a criterion; the raw text gives the probabilities of 1 to 5."""
    both = (first, second)
    tokens = sum(one.tokens_in for one in both), sum(one.tokens_out for one in both)
    cuts = any(one.is_trimmed for one in both), longest_cut(one.cut for one in both)
    if isinstance(first, Unparsed) or isinstance(second, Unparsed):
        raw = "\n".join(one.raw for one in both if isinstance(one, Unparsed))
        reason = next(one.reason for one in both if isinstance(one, Unparsed))
        return Solved(Step(str(criterion), raw, *tokens), *cuts, reason)
    two = first.probabilities, second.probabilities
    scores = mean_score(two[0]), mean_score(two[1])
    step = Step(str(criterion), written(two), *tokens, scores, weight=criterion.weight)
    return Solved(step, *cuts, distributions=two)


def written(distributions: Sequence[Sequence[float]]) -> str:
    """The probabilities of the scores 1 to 5 of both responses, a line each."""
    return "\n".join(
        f"Score {side}: " + " ".join(f"{p:.4f}" for p in one)
        for side, one in zip(ANSWER_LETTERS, distributions, strict=True)
    )


def stated_scores(criterion: Criterion, prompt: Prompt, reply: Completion | Unparsed) -> Solved:
    """The whole scores that a free reply states."""
    step = replace(step_of(str(criterion), prompt, reply), weight=criterion.weight)
    if isinstance(reply, Unparsed):
        return Solved(step, reply.is_trimmed, reply.cut, reply.reason)
    scores = scores_in(prompt.reply_start, spoken(reply.text))
    if isinstance(scores, Unparsed):
        return Solved(step, reply.is_trimmed, reply.cut, scores.reason)
    return Solved(replace(step, scores=scores), reply.is_trimmed, reply.cut)


def scores_in(start: str, text: str) -> tuple[float, float] | Unparsed:
    """The scores in a reply that goes on from `start`, or that a server began anew with words of its own."""
    if not GOES_ON.match(text) and not isinstance(alone := parse_scores(text), Unparsed):
        return alone
    return parse_scores(start + text)


def merge(before: tuple[Step, ...], solved: Sequence[Solved], p_first: PFirst) -> Reading:
    """The reading that the scores add up to; unreadable where those of any criterion are.

    Args:
        before: the steps that gave the criteria; none where these were given.
        solved: what was said of each criterion, at least one.
        p_first: works the probability out that the first response is better.
    """
    tokens = sum(one.step.tokens_in for one in solved), sum(one.step.tokens_out for one in solved)
    is_trimmed, cut = any(one.is_trimmed for one in solved), longest_cut(one.cut for one in solved)
    steps = (*before, *(one.step for one in solved))
    for number, one in enumerate(solved, start=1):
        if one.step.scores is None:
            reason = f"solve, criterion {number}: {one.reason}"
            return Unparsed(reason, one.step.raw, *tokens, is_trimmed, steps, cut)
    weights = whole_weights([one.step.weight for one in solved])
    first, second = (
        sum(
            times * one.step.scores[side]
            for times, one in zip(weights, solved, strict=True)
            if one.step.scores
        )
        for side in (0, 1)
    )
    choice = Choice.TIE if first == second else Choice.FIRST if first > second else Choice.SECOND
    drawn = [one.distributions for one in solved if one.distributions is not None]
    probabilities = None
    if drawn:
        p = p_first(drawn, weights)
        probabilities = {Choice.FIRST: p, Choice.SECOND: 1.0 - p}
    unit = solved[0].step.weight / weights[0]
    raw = f"{unit * first:.2f} : {unit * second:.2f}"
    return Judgment(choice, probabilities, raw, *tokens, is_trimmed, steps, cut)


def whole_weights(weights: Sequence[float]) -> list[int]:
    """The smallest whole numbers in the same proportions: whole scores then have sums without rounding.

    Args:
        weights: numbers from 0.01 up with two decimals.
    """
    hundredths = [round(100 * weight) for weight in weights]
    return [one // gcd(*hundredths) for one in hundredths]


def mean_score(probabilities: Sequence[float]) -> float:
    """The mean of the scores 1 to 5 under their probabilities; rounding keeps it within them."""
    mean = sum(score * p for score, p in enumerate(probabilities, start=1))
    return min(5.0, max(1.0, mean))


def p_of_sums(drawn: Sequence[Distributions], weights: Sequence[int]) -> float:
    """The probability that the first sum is the greater one, equal sums counting half.

    Args:
        drawn: for each criterion the probabilities of 1 to 5 for the first and the second response; scores
        are drawn independently.
        weights: how often each criterion's scores count in the sums.
    """
    difference = {0: 1.0}  # of the sums so far -> its probability
    for (first, second), times in zip(drawn, weights, strict=True):
        longer: dict[int, float] = {}
        for gap, p in difference.items():
            for i, p_first in enumerate(first):
                for j, p_second in enumerate(second):
                    after = gap + times * (i - j)
                    longer[after] = longer.get(after, 0.0) + p * p_first * p_second
        difference = longer
    total = sum(difference.values())
    p_first = sum(p for gap, p in difference.items() if gap > 0) + difference.get(0, 0.0) / 2
    return p_first / total

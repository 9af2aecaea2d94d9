"""Branch, solve, merge (Saha et al., arXiv:2310.15123): criteria, scores on each of them, their sums."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice

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
)

MAX_NEW_TOKENS = 256
BRANCH = "branch"
SCORES = ("1", "2", "3", "4", "5")
ANSWER_LETTERS = ("A", "B")


@dataclass(frozen=True, slots=True)
class Solved:
    """What solve said of one criterion; `step.scores` is None where it could not be read.

    `distributions` are the probabilities of the scores 1 to 5 of the first and of the second response.
    """

    step: Step
    is_trimmed: bool
    reason: str = ""
    distributions: tuple[tuple[float, ...], tuple[float, ...]] | None = None


class BranchSolveMerge:
    """By expected scores: a score is the mean of 1 to 5 under their probabilities, and nothing is decoded.

    *Branch* sees the question only and is asked once a question, for both orders and all its pairs. *Solve*
    reads the pair before the criterion, so that all criteria share one beginning. *Merge* adds the scores:
    the greater sum wins, equal sums are a tie. The probability of a choice is that its sum is the greater one
    if every score were drawn independently; equal sums count half for either side.
    """

    name = "bsm"
    templates = ("bsm_branch", "bsm_score")

    def __init__(self, backend: Backend, settings: MethodSettings = DEFAULTS) -> None:
        self.backend = backend
        self.sampling = sampling_of(settings, MAX_NEW_TOKENS)
        self._plans = SharedReplies(backend, settings, self.sampling)

    @property
    def identity(self) -> Identity:
        return identity_of(self.backend, self.name, self.templates, "".join(SCORES), self.sampling)

    @property
    def batch_characters(self) -> int:
        return self.backend.batch_characters

    def prepare(self, pairs: Sequence[Pair], progress: Progress = silent) -> None:
        self._plans.ask([render_branch(pair) for pair in pairs], "planning", progress)

    def read(self, items: Sequence[tuple[Pair, Order]]) -> list[Reading]:
        branches = self.branch([pair for pair, _ in items])
        asked = [
            (pair, order, criterion)
            for (pair, order), (plan, _) in zip(items, branches, strict=True)
            if isinstance(plan, Plan)
            for criterion in plan.criteria
        ]
        solved = iter(self.solve(asked))
        readings: list[Reading] = []
        for plan, step in branches:
            if isinstance(plan, Unparsed):
                readings.append(Unparsed(f"branch: {plan.reason}", step.raw, steps=(step,)))
            else:
                readings.append(merge(step, list(islice(solved, len(plan.criteria)))))
        return readings

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


def render_branch(pair: Pair) -> Prompt:
    """The prompt that asks for criteria; it shows the question and no answer."""
    return fill("bsm_branch", question_values(pair), f"the question of pair {pair.id}")


def render_score(pair: Pair, order: Order, criterion: Criterion, side: str) -> Prompt:
    """The prompt whose next token is the score of one side, "A" or "B", on one criterion."""
    values = {"criterion": Span(str(criterion), "context"), "side": side}
    return fill("bsm_score", pair_values(pair, order) | values, reading_name(pair, order))


def render_solve(pair: Pair, order: Order, criterion: Criterion) -> Prompt:
    """The prompt that asks for both scores on one criterion and the reason for them."""
    values = {"criterion": Span(str(criterion), "context")}
    return fill("bsm_solve", pair_values(pair, order) | values, reading_name(pair, order))


def plan_in(prompt: Prompt, reply: Completion | Unparsed) -> Plan | Unparsed:
    """The plan that a branch reply states."""
    if isinstance(reply, Unparsed):
        return reply
    return parse_plan(f"{prompt.reply_start}{spoken(reply.text)}", reply.is_ended)


def expected_scores(
    criterion: Criterion, first: ChoiceProbabilities | Unparsed, second: ChoiceProbabilities | Unparsed
) -> Solved:
    """The mean scores of both responses on a criterion; the raw text gives the probabilities of 1 to 5."""
    both = (first, second)
    tokens = sum(one.tokens_in for one in both), sum(one.tokens_out for one in both)
    is_trimmed = any(one.is_trimmed for one in both)
    if isinstance(first, Unparsed) or isinstance(second, Unparsed):
        raw = "\n".join(one.raw for one in both if isinstance(one, Unparsed))
        reason = next(one.reason for one in both if isinstance(one, Unparsed))
        return Solved(Step(str(criterion), raw, *tokens), is_trimmed, reason)
    raw = "\n".join(
        f"Score {side}: " + " ".join(f"{p:.4f}" for p in one.probabilities)
        for side, one in zip(ANSWER_LETTERS, (first, second), strict=True)
    )
    scores = mean_score(first.probabilities), mean_score(second.probabilities)
    step = Step(str(criterion), raw, *tokens, scores)
    return Solved(step, is_trimmed, distributions=(first.probabilities, second.probabilities))


def stated_scores(criterion: Criterion, prompt: Prompt, reply: Completion | Unparsed) -> Solved:
    """The whole scores that a free reply states."""
    step = step_of(str(criterion), prompt, reply)
    if isinstance(reply, Unparsed):
        return Solved(step, reply.is_trimmed, reply.reason)
    scores = parse_scores(prompt.reply_start + spoken(reply.text))
    if isinstance(scores, Unparsed):
        return Solved(step, reply.is_trimmed, scores.reason)
    return Solved(replace(step, scores=scores), reply.is_trimmed)


def merge(branch: Step, solved: Sequence[Solved]) -> Reading:
    """The reading that the scores add up to; unreadable where those of any criterion are."""
    tokens = sum(one.step.tokens_in for one in solved), sum(one.step.tokens_out for one in solved)
    is_trimmed = any(one.is_trimmed for one in solved)
    steps = (branch, *(one.step for one in solved))
    for number, one in enumerate(solved, start=1):
        if one.step.scores is None:
            reason = f"solve, criterion {number}: {one.reason}"
            return Unparsed(reason, one.step.raw, *tokens, is_trimmed, steps)
    first, second = (sum(one.step.scores[side] for one in solved if one.step.scores) for side in (0, 1))
    choice = Choice.TIE if first == second else Choice.FIRST if first > second else Choice.SECOND
    drawn = [one.distributions for one in solved if one.distributions is not None]
    probabilities = choice_probabilities(drawn) if drawn else None
    return Judgment(choice, probabilities, f"{first:.2f} : {second:.2f}", *tokens, is_trimmed, steps)


def mean_score(probabilities: Sequence[float]) -> float:
    """The mean of the scores 1 to 5 under their probabilities; rounding keeps it within them."""
    mean = sum(score * p for score, p in enumerate(probabilities, start=1))
    return min(5.0, max(1.0, mean))


def choice_probabilities(
    drawn: Sequence[tuple[Sequence[float], Sequence[float]]],
) -> dict[Choice, float]:
    """The probability that the first or the second sum is the greater one, equal sums counting half for each.

    Args:
        drawn: for each criterion the probabilities of 1 to 5 for the first and the second response; scores
        are drawn independently.
    """
    difference = {0: 1.0}  # of the sums so far -> its probability
    for first, second in drawn:
        longer: dict[int, float] = {}
        for gap, p in difference.items():
            for i, p_first in enumerate(first):
                for j, p_second in enumerate(second):
                    longer[gap + i - j] = longer.get(gap + i - j, 0.0) + p * p_first * p_second
        difference = longer
    total = sum(difference.values())
    p_first = sum(p for gap, p in difference.items() if gap > 0) + difference.get(0, 0.0) / 2
    return {Choice.FIRST: p_first / total, Choice.SECOND: 1.0 - p_first / total}

"""A checklist: each criterion is a yes-or-no question, asked of each answer by itself.

It is branch, solve, merge (Saha et al., arXiv:2310.15123) with another *solve*: no answer is shown beside
the other one, so there is no place to prefer, and what is asked is as simple as in a checklist (TICK, Cook et
al., arXiv:2410.03608). Small models that cannot score two answers on a criterion can often do this.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from judge.backends import ChoiceProbabilities
from judge.methods.asking import answer_values
from judge.methods.bsm import BranchSolveMerge, Distributions, Solved, expected_scores, written
from judge.methods.score import Answer, answers_of
from judge.prompts import fill
from judge.records import Criterion, Order, Pair, Prompt, Span, Unparsed

ANSWERS = ("Yes", "No")


class Checklist(BranchSolveMerge):
    """By the probabilities of "Yes": a criterion that is met counts as a 5, one that is not as a 1.

    Criteria come as in `BranchSolveMerge`, and the scores are merged as there. Both orders are one reading,
    which counts its tokens in order AB.
    """

    name = "checklist"
    templates = ("bsm_branch", "checklist")
    replies = ANSWERS

    def solve(self, asked: Sequence[tuple[Pair, Order, Criterion]]) -> list[Solved]:
        """What is said of both answers on each criterion: two questions for each pair and criterion."""
        different = list({(pair.content_hash, criterion): pair for pair, _, criterion in asked}.items())
        prompts = [
            render_check(answer, criterion, f"pair {pair.id}")
            for (_, criterion), pair in different
            for answer in answers_of(pair, Order.AB)
        ]
        chosen = iter(self.backend.choose(prompts, ANSWERS))
        known = {
            key: expected_scores(key[1], scored(next(chosen)), scored(next(chosen))) for key, _ in different
        }
        return [
            known[pair.content_hash, criterion]
            if order is Order.AB
            else swapped(known[pair.content_hash, criterion])
            for pair, order, criterion in asked
        ]

    def p_first(self, drawn: Sequence[Distributions], weights: Sequence[int]) -> float:
        """The probability that the first answer wins on a criterion drawn by its weight.

        It wins where it meets the criterion and the other one does not; where both do alike, that counts half
        for each. So it is above one half where the first sum of scores is the greater one.
        """
        leads = [first[-1] - second[-1] for first, second in drawn]
        lead = sum(times * one for times, one in zip(weights, leads, strict=True)) / sum(weights)
        return (1.0 + lead) / 2


def render_check(answer: Answer, criterion: Criterion, name: str) -> Prompt:
    """The prompt whose next token says whether the answer meets the criterion."""
    no, yes = criterion.scale or ("", "")
    claim = (criterion.description or criterion.name).rstrip(".?! ")
    values = {"claim": Span(claim, "context"), "no": Span(no, "context"), "yes": Span(yes, "context")}
    return fill("checklist", answer_values(*answer) | values | {"is_told": bool(criterion.scale)}, name)


def scored(said: ChoiceProbabilities | Unparsed) -> ChoiceProbabilities | Unparsed:
    """What is said of one answer as probabilities of the scores 1 to 5: Yes is a 5, No a 1."""
    if isinstance(said, Unparsed):
        return said
    yes, no = said.probabilities
    return replace(said, probabilities=(no, 0.0, 0.0, 0.0, yes))


def swapped(solved: Solved) -> Solved:
    """The same in the other order: read already, so it costs no tokens."""
    step = replace(solved.step, tokens_in=0, tokens_out=0)
    if solved.distributions is None or step.scores is None:
        return replace(solved, step=step)
    first, second = solved.distributions
    step = replace(step, raw=written((second, first)), scores=step.scores[::-1])
    return replace(solved, step=step, distributions=(second, first))

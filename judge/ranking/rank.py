"""Ranks models by their answers: judges where the ranking is in doubt until it is told, or told to stop."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from judge.api import Judge, unread_in_words
from judge.errors import InputError
from judge.io.durations import over_after, seconds_in
from judge.progress import Progress, silent
from judge.ranking.answers import Answers, read_answers
from judge.ranking.asking import Asker, Judging, asker_of
from judge.ranking.choice import doubtful_neighbours, order_of_prompts, size_of_round
from judge.ranking.leaderboard import Asked, Leaderboard, Reason, leaderboard_of
from judge.ranking.strengths import fitted

Say = Callable[[str], None]


def rank(
    files: Sequence[str | Path],
    judge: Judge | None = None,
    *,
    budget: int | None = None,
    within: str | None = None,
    seed: int = 0,
    mapping: str = "",
) -> Leaderboard:
    """The leaderboard of two to fifty models, from files of their answers to common prompts.

    Not every pair is judged: pairs are chosen where the ranking is in doubt. Equal files, judge and seed give
    equal leaderboards, unless `within` ends them; what the ledger knows is not asked again.

    Args:
        files: answers as AlpacaEval has them, `instruction, output, generator`: one file a model, or several
            models in a file; or files of any form that names the models; or folders. JSON, CSV or Parquet.
        judge: who compares; by default the one in the package, which grades each answer once.
        budget: of pairs that are judged at most; of answers where the judge grades single answers.
        within: a time such as "30m" after which nothing new is asked; None is as long as it takes.
        seed: of the order in which prompts are used.
        mapping: for files with one column a model: which column is what, "prompt=question,gpt-4,llama=out_2".

    Raises:
        InputError: a file cannot be read, or there are not two to fifty models with a prompt in common.
        BackendError: the engine failed. Every batch before that is in the ledger.
    """
    answers = read_answers([files] if isinstance(files, str | Path) else files, mapping)
    within_s = None if within is None else seconds_in(within, "within")
    if budget is not None and (not isinstance(budget, int) or budget < 1):
        raise InputError(f"budget is {budget!r}. It must be a whole number of at least 1.")
    if judge is not None:
        return rank_answers(answers, judge, budget, within_s, seed)
    with Judge() as own:
        return rank_answers(answers, own, budget, within_s, seed)


def rank_answers(
    answers: Answers,
    judge: Judging,
    budget: int | None = None,
    within_s: float | None = None,
    seed: int = 0,
    say: Say = lambda line: None,
    progress: Progress = silent,
    clock: Callable[[], float] = time.monotonic,
) -> Leaderboard:
    """The same of answers that were read.

    Args:
        say: is told after each round what is still in doubt, and before, where prompts have criteria that
            the method does not read.
    """
    n_criteria = sum(map(bool, answers.criteria))
    if unread := unread_in_words(n_criteria, f"{answers.n_prompts} prompts", judge.identity.method):
        say(unread)
    asker = asker_of(judge, answers)
    most = asker.n_all if budget is None else min(budget, asker.n_all)
    is_late = None if within_s is None else over_after(within_s, clock)

    def is_over() -> bool:
        progress(f"comparing, {asker.n_asked:,} of {most:,} {asker.noun}s", asker.n_asked, most)
        return is_late is not None and is_late()

    order = order_of_prompts(answers.n_prompts, seed)
    reason = judged_until(asker, most, order, is_over, say)
    contests = asker.contests
    if not contests.is_read.any():
        early = f"{reason} before two answers to one prompt were judged"
        why = "no reply could be read" if contests.is_asked.any() else early
        raise InputError(f"there is nothing to rank: {why}.")
    asked = Asked(
        noun=asker.noun,
        n_asked=asker.n_asked,
        n_all=asker.n_all,
        n_pairs=int(contests.is_asked.sum()),
        n_all_pairs=contests.side.size,
        reason=reason,
        budget=budget,
        within_s=within_s,
    )
    return leaderboard_of(answers, contests, asked, judge.identity, seed)


def judged_until(
    asker: Asker, most: int, order: Sequence[int], is_over: Callable[[], bool], say: Say
) -> Reason:
    """Asks round by round until `most` are asked, if not less will do; says why it stopped."""
    fit = None
    while asker.n_asked < most:
        n = size_of_round(asker.n_asked, asker.n_first, most - asker.n_asked)
        asker.ask(n, fit, order, is_over)
        if is_over() and asker.n_asked < most:
            return Reason.TIME
        contests = asker.contests
        if not contests.is_read.any():
            continue
        fit = fitted(contests)
        in_doubt = doubtful_neighbours(fit)
        told = f"{asker.n_asked:,} of {asker.n_all:,} {asker.noun}s"
        say(f"{told}: {len(in_doubt)} of {fit.n_models - 1} neighbours in the ranking are in doubt.")
        if not in_doubt:
            return Reason.APART
    return Reason.ALL if asker.n_asked == asker.n_all else Reason.BUDGET

"""TRL: one object that its online trainers take as a judge, and its newer ones as a reward function."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

from judge.frameworks.judging import FrameworkJudge, pair_given, share_of_a
from judge.metrics.baselines import coin
from judge.records import Outcome, Pair, Verdict

TRL = "TRL"


class PairwiseJudge:
    """A judge for TRL's trainers: which of two completions is better, or how good each is beside the others.

    `judge` is what `OnlineDPOTrainer`, `XPOTrainer`, `NashMDTrainer` and `WinRateCallback` ask until TRL 1.0.
    Later versions have no judges: their `OnlineDPOTrainer` and `GRPOTrainer` take the object itself in
    `reward_funcs`. TRL would train on an unreadable reply as on a win, so such a reply is an error here.

    Args:
        options: those of `judge.Judge`.

    Raises:
        InputError: as `judge.Judge`; of a call also prompts or completions that are no text.
        BackendError: the engine failed, or a reply could not be read.
    """

    __name__ = "pairwise_judge"  # TRL's logs call the reward so

    def __init__(self, **options: Any) -> None:
        self._judge = FrameworkJudge(**options)

    def judge(
        self,
        prompts: Sequence[Any],
        completions: Sequence[Sequence[Any]],
        shuffle_order: bool = True,
        return_scores: bool = False,
    ) -> list[int] | list[float]:
        """0 or 1 for each prompt: which of its two completions is better by both orders together.

        Where both orders together leave it even, a hash of the two decides, as no place may be preferred.

        Args:
            prompts: texts, or conversations as lists of messages.
            completions: two for each prompt.
            shuffle_order: of no effect, as every pair is read in both orders.
            return_scores: the probabilities that the first completion is better, in place of 0 and 1.
        """
        pairs = [pair_given(prompt, *two) for prompt, two in zip(prompts, completions, strict=True)]
        verdicts = self._judge.read_verdicts(pairs, TRL)
        if return_scores:
            return [share_of_a(verdict) for verdict in verdicts]
        return [_better(pair, verdict) for pair, verdict in zip(pairs, verdicts, strict=True)]

    def __call__(self, prompts: Sequence[Any], completions: Sequence[Any], **columns: Any) -> list[float]:
        """The reward of each completion: its mean probability to be better than each other one of its prompt.

        Rewards lie between 0 and 1, a completion that is alone with its prompt has 0.5. n completions of a
        prompt are n * (n - 1) / 2 pairs, which are judged in one call.

        Args:
            prompts: one for each completion, so that each is there several times.
            completions: texts, or lists of one message.
            columns: what TRL gives beside them, of no effect.
        """
        places: dict[str, list[int]] = {}
        for place, prompt in enumerate(prompts):
            places.setdefault(repr(prompt), []).append(place)
        duels = [duel for group in places.values() for duel in combinations(group, 2)]
        pairs = [pair_given(prompts[a], completions[a], completions[b]) for a, b in duels]
        shares: list[list[float]] = [[] for _ in completions]
        for (a, b), verdict in zip(duels, self._judge.read_verdicts(pairs, TRL), strict=True):
            share = share_of_a(verdict)
            shares[a].append(share)
            shares[b].append(1.0 - share)
        return [sum(own) / len(own) if own else 0.5 for own in shares]


def _better(pair: Pair, verdict: Verdict) -> int:
    share = share_of_a(verdict)
    if share == 0.5:
        [by_hash] = coin([pair])
        return int(by_hash.outcome is Outcome.B)
    return int(share < 0.5)

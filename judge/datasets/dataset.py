"""What every data set of the harness is read as: pairs, people's votes on them, and what was left out."""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from judge.errors import InputError
from judge.io.usable import Unusable
from judge.io.wording import counts_in_words
from judge.records import NO_CATEGORY, Ballot, HumanVote, Message, Pair, Verdict, sha256_of_json


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which part of a data set to read, and from which place.

    `folder` holds local copies; None reads from the Hugging Face hub. `turn` None takes any turn. `votes` is
    "experts", "authors" or "all" for MT-bench, a file of votes for a file of pairs, and "" elsewhere.
    """

    folder: Path | None = None
    turn: int | None = 1
    votes: str = ""


@dataclass(frozen=True, slots=True)
class Dataset:
    """Pairs and the votes on them; every pair has a vote.

    `broken` counts rows that were left out, by reason. `released` are verdicts that somebody else published
    on these pairs, by the judge's name. `source` says whose data it is and under which licence.
    """

    name: str
    pairs: tuple[Pair, ...]
    votes: tuple[HumanVote, ...]
    source: str
    broken: Mapping[str, int] = field(default_factory=dict)
    released: Mapping[str, tuple[Verdict, ...]] = field(default_factory=dict)

    @property
    def hash(self) -> str:
        """SHA-256 (hex) of the contents of all pairs and of all votes, whatever their order."""
        pairs = sorted([pair.id, pair.content_hash] for pair in self.pairs)
        votes = sorted([vote.pair_id, vote.voter, vote.outcome.value] for vote in self.votes)
        return sha256_of_json([pairs, votes])


@dataclass(frozen=True, slots=True)
class Check:
    """One published figure and ours, in percent (or a count), rounded as it was published."""

    name: str
    published: float
    ours: float | None

    @property
    def is_met(self) -> bool:
        return self.ours == self.published


@dataclass(frozen=True, slots=True)
class SelfCheck:
    """Published figures that the harness has to reproduce on a data set.

    `of` says which ones in words, and `checks` works them out from the data that is read from `Wanted`.
    """

    of: str
    checks: Callable[[Wanted], Sequence[Check]]


@dataclass(frozen=True, slots=True)
class DataSource:
    """A data set before it is read: what `judge bench NAME` needs to know of it.

    Args:
        read: the part of it that is wanted. Raises InputError where it cannot be read or is empty.
        turn: what is judged by default: "1", "2", ..., or "any".
        votes: whose votes count by default; "" if the data set has one kind only.
        every_turn: what a title calls turn "any", "" if the title does not mention it.
        self_check: published figures to reproduce, where there are some.
    """

    read: Callable[[Wanted], Dataset]
    turn: str = "any"
    votes: str = ""
    every_turn: str = ""
    self_check: SelfCheck | None = None


def preferred(
    id: str,
    context: Sequence[Message],
    chosen: object,
    rejected: object,
    voter: str,
    turn: int,
    category: str | None = None,
) -> tuple[Pair, HumanVote]:
    """The pair of a better and a worse response, and the vote that says so.

    Which response is a comes from a hash of the texts, never from the vote.
    """
    if not isinstance(chosen, str) or not isinstance(rejected, str):
        raise Unusable("missing text")
    if not chosen.strip() or not rejected.strip():
        raise Unusable("missing text")
    if chosen.strip() == rejected.strip():
        raise Unusable("identical texts")
    a, b = sorted((chosen, rejected), key=sha256_of_json)
    pair = Pair(
        id=id,
        conversation_a=(*context, Message("assistant", a)),
        conversation_b=(*context, Message("assistant", b)),
        category=category,
    )
    return pair, HumanVote(id, voter, Ballot.A if a == chosen else Ballot.B, turn=turn, category=category)


def prompt_of(pair: Pair) -> str:
    """The first user message of conversation a, without differences of case and spaces."""
    return spaced_alike(pair.question)


def first_prompts_of(pair: Pair) -> set[str]:
    """The same of both conversations: a single one, unless they begin with different questions."""
    in_b = next((message.content for message in pair.conversation_b if message.role == "user"), "")
    return {prompt_of(pair), spaced_alike(in_b)}


def spaced_alike(text: str) -> str:
    """The text without differences of case and spaces."""
    return " ".join(text.casefold().split())


def not_empty(dataset: Dataset) -> Dataset:
    """The same data set. Raises InputError, which says what was left out, where no pair is left."""
    if not dataset.pairs:
        left_out = counts_in_words(dataset.broken)
        raise InputError(f"{dataset.name}: no pair with a vote is left (left out: {left_out}).")
    return dataset


def only(dataset: Dataset, ids: frozenset[str]) -> Dataset:
    """The data set with these pairs alone, and the votes and released verdicts on them."""
    return replace(
        dataset,
        pairs=tuple(pair for pair in dataset.pairs if pair.id in ids),
        votes=tuple(vote for vote in dataset.votes if vote.pair_id in ids),
        released={
            judge: tuple(verdict for verdict in verdicts if verdict.pair_id in ids)
            for judge, verdicts in dataset.released.items()
        },
    )


def stratified(pairs: Sequence[Pair], limit: int, seed: int) -> frozenset[str]:
    """The ids of `limit` pairs, drawn from each category in proportion (largest remainders), by this seed.

    They do not depend on the order of the pairs. Where there are no more than `limit`, all are taken.
    """
    limit = min(limit, len(pairs))
    by_category: dict[str, list[str]] = {}
    for pair in pairs:
        by_category.setdefault(pair.category or NO_CATEGORY, []).append(pair.id)
    shares = {name: limit * len(ids) / len(pairs) for name, ids in by_category.items()}
    counts = Counter({name: int(share) for name, share in shares.items()})
    by_remainder = sorted(shares, key=lambda name: (-(shares[name] % 1), name))
    counts.update(by_remainder[: limit - counts.total()])
    generator = random.Random(seed)
    return frozenset(
        id for name in sorted(by_category) for id in generator.sample(sorted(by_category[name]), counts[name])
    )


def data_folder(given: Path | None = None) -> Path | None:
    """The folder of local copies: as given, else JUDGE_DATA, else `../shared/data` where that exists."""
    if given or os.environ.get("JUDGE_DATA"):
        return given or Path(os.environ["JUDGE_DATA"])
    beside = Path("../shared/data")
    return beside if beside.is_dir() else None

"""Votes mode: from people's votes on the pairs of a file to the examples that a student learns from.

No teacher reads these pairs, and they are never mixed with a teacher's verdicts. The response with more votes
is the winner in both orders. Every drop has a counted reason. Neither the order of the votes nor that of the
pairs changes what is kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from distill.clean import check_to_json, clean, held_out_texts
from distill.pairs import BEYOND_LIMIT, DUPLICATE, place_of, short_enough
from distill.recipe import PairSource, Recipe, file_at
from distill.selection import SURPLUS, Example, part_of, surplus_of, targets, unnamed_content
from judge.datasets.own_file import NO_VOTE
from judge.errors import InputError
from judge.forms.reading import read_pairs, read_votes_on
from judge.io.usable import Unusable, usable
from judge.io.wording import counts_in_words
from judge.records import HumanVote, Outcome, Pair

OTHER_PAIR = "vote on no pair of the file"
IDENTICAL = "identical texts"
EVEN_VOTES = "pair with as many votes for a as for b"

Poll = Counter[Outcome]


@dataclass(frozen=True, slots=True)
class Voted:
    """What people's votes teach, ordered by content. `n_votes` are the votes on the pairs of the examples.

    `left_out` counts pairs, and votes on no pair of the file, by reason; but not the pairs that share texts
    with what judges are measured on: these are in `contamination`, which is `check_to_json`. `warning` names
    what that check could not read, "" where it read all.
    """

    examples: tuple[Example, ...]
    n_votes: int
    left_out: Mapping[str, int]
    contamination: Mapping[str, Any]
    warning: str


def voted_examples(recipe: Recipe, data: Path | None) -> Voted:
    """What the recipe's votes teach of the recipe's pairs, in a recipe with targets votes.

    All votes on a pair count, whatever their turn. The recipe's limits, held-out share and balance of lengths
    apply as for a teacher; its filter and margin do not, as they are about a teacher.

    Args:
        data: the folder of local copies of data sets; None is the hub.

    Raises:
        BadLines: rows of the pairs or of the votes cannot be read.
        InputError: a file or what to keep out cannot be read, or nothing is left to learn from.
    """
    source, settings = recipe.collect.pairs, recipe.select
    pairs = [replace(pair, metadata={}) for pair in read_pairs(file_at(source.path, data))]
    votes = read_votes_on(file_at(recipe.train.votes, data), pairs)
    held_out = held_out_texts(data, source.unchecked)
    polled, left_out = polled_pairs(pairs, votes, source)
    poll_on = {pair.id: poll for pair, poll in polled}
    clean_pairs, dropped = clean([pair for pair, _ in polled], held_out)

    def example_of(pair: Pair) -> Example:
        winner, p_a = winner_of(poll_on[pair.id])
        return Example(pair, targets(winner), p_a, part_of(pair, settings.held_out, recipe.seed))

    examples, undecided = usable(clean_pairs, example_of)
    surplus = surplus_of(examples) if settings.balance_length else set()
    left_out += undecided + Counter({SURPLUS: len(surplus)})
    kept = [one for one in examples if one.pair.id not in surplus]
    if not kept:
        reasons = counts_in_words(left_out + dropped)
        where = f"{recipe.train.votes} and {source.path}"
        raise InputError(f"{where}: no pair of {len(pairs)} is left to learn from ({reasons}).")
    return Voted(
        examples=tuple(sorted(kept, key=lambda one: one.pair.content_hash)),
        n_votes=sum(poll_on[one.pair.id].total() for one in kept),
        left_out=dict(sorted(left_out.items())),
        contamination=check_to_json(held_out, dropped),
        warning=held_out.warning,
    )


def polled_pairs(
    pairs: Sequence[Pair], votes: Sequence[HumanVote], source: PairSource
) -> tuple[list[tuple[Pair, Poll]], Counter[str]]:
    """The pairs within the source's limits with the votes on them, by a hash of their prompts; and what
    was left out.

    Every pair is there once. Pairs without a vote are still among them.
    """
    different, left_out = usable(pairs, with_two_texts)
    short, too_long = short_enough(different, source.max_characters)
    polled = put_together(short, polls_of(votes))
    within = sorted(polled, key=lambda one: place_of(one[0]))[: source.limit]
    known = {pair.id for pair in pairs}
    left_out += too_long + Counter(
        {
            OTHER_PAIR: sum(vote.pair_id not in known for vote in votes),
            DUPLICATE: len(short) - len(polled),
            BEYOND_LIMIT: len(polled) - len(within),
        }
    )
    return within, left_out


def with_two_texts(pair: Pair) -> Pair:
    """The pair, if its conversations differ: otherwise no order of them could say which response won."""
    if pair.conversation_a == pair.conversation_b:
        raise Unusable(IDENTICAL)
    return pair


# --- counting votes --------------------------------------------------------------------------------------


def polls_of(votes: Iterable[HumanVote]) -> dict[str, Poll]:
    """How many votes each side has, by pair id. TIE holds the votes for neither side."""
    polls: dict[str, Poll] = {}
    for vote in votes:
        polls.setdefault(vote.pair_id, Counter())[vote.outcome.outcome] += 1
    return polls


def winner_of(poll: Poll) -> tuple[Outcome, float]:
    """The response with more votes, and the share of a, in which a vote for neither side counts half.

    Raises:
        Unusable: nobody voted, or both have equally many.
    """
    for_a, for_b = poll[Outcome.A], poll[Outcome.B]
    if not poll.total():
        raise Unusable(NO_VOTE)
    if for_a == for_b:
        raise Unusable(EVEN_VOTES)
    return Outcome.A if for_a > for_b else Outcome.B, (for_a + poll[Outcome.TIE] / 2) / poll.total()


def put_together(pairs: Iterable[Pair], polls: Mapping[str, Poll]) -> list[tuple[Pair, Poll]]:
    """Every pair once, whichever response is called a, with the votes on all of its copies in the file."""
    by_content: dict[str, list[Pair]] = {}
    for pair in pairs:
        by_content.setdefault(unnamed_content(pair), []).append(pair)
    return [one_of_copies(copies, polls) for copies in by_content.values()]


def one_of_copies(copies: Sequence[Pair], polls: Mapping[str, Poll]) -> tuple[Pair, Poll]:
    """One of these equal pairs, chosen by content and id, and the votes on all of them in its terms."""
    chosen = min(copies, key=lambda pair: (pair.content_hash, pair.id))
    total: Poll = Counter()
    for pair in copies:
        poll = polls.get(pair.id, Counter())
        total += poll if pair.content_hash == chosen.content_hash else swapped(poll)
    return chosen, total


def swapped(poll: Poll) -> Poll:
    """The same votes with a and b swapped."""
    return Counter({Outcome.A: poll[Outcome.B], Outcome.B: poll[Outcome.A], Outcome.TIE: poll[Outcome.TIE]})

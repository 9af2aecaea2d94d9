"""A user's file of pairs with votes: those of another file, of a column `gold`, or another tool's labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from judge.datasets.dataset import Dataset, Wanted, not_empty
from judge.errors import InputError
from judge.forms.reading import file_at, read_rows, read_votes_on, told
from judge.io.labels import ballot_of
from judge.io.rows import file_name
from judge.io.usable import UnknownLabel, Unusable, usable
from judge.io.wording import counts_in_words, some_of
from judge.records import GOLD, Ballot, HumanVote, Outcome, Pair

NO_VOTE = "pair without a vote"


def read(pairs_path: str | Path, wanted: Wanted, mapping: str = "") -> Dataset:
    """The pairs of the file that have a vote, in its order, and the votes on them.

    `wanted.votes` is a file of votes. Where it is "", each pair whose column `gold` is A, B or TIE has one
    vote, on its last turn; without that column the labels of another tool are the votes. `wanted.turn` takes
    some of them.

    Args:
        mapping: which column is what in a file of no known form; that of `outcome` is the votes.

    Raises:
        InputError: a file cannot be read, votes are on unknown pairs, or no pair has a vote.
    """
    name = Path(file_name(pairs_path)).name
    read = read_rows(file_at(pairs_path), told, mapping)
    pairs = read.pairs
    if wanted.votes:
        every = known_votes(read_votes_on(wanted.votes, pairs), pairs, wanted.votes, name)
        votes, broken = votes_on_turn(every, pairs, wanted.turn)
        source = f"own pairs, votes of {Path(file_name(wanted.votes)).name}"
    elif read.votes and not any(GOLD in pair.metadata for pair in pairs):
        votes, broken = votes_on_turn(read.votes, pairs, wanted.turn)
        source = "own pairs, labels of the file"
    else:
        every, unlabelled = votes_of_gold(pairs, name, read.left_out)
        labelled = {vote.pair_id for vote in every}
        votes, others = votes_on_turn(every, [pair for pair in pairs if pair.id in labelled], wanted.turn)
        broken = unlabelled + others
        source = f"own pairs, column {GOLD}"
    voted = {vote.pair_id for vote in votes}
    return not_empty(
        Dataset(
            name=name,
            pairs=tuple(pair for pair in pairs if pair.id in voted),
            votes=tuple(votes),
            source=source,
            broken=broken + Counter(read.left_out),
        )
    )


def known_votes(
    votes: Sequence[HumanVote], pairs: Sequence[Pair], file: str, name: str
) -> Sequence[HumanVote]:
    """The votes as they are. Raises InputError where some are on no pair of the data set of that name."""
    ids = {pair.id for pair in pairs}
    if unknown := list(dict.fromkeys(vote.pair_id for vote in votes if vote.pair_id not in ids)):
        raise InputError(
            f"{file}: votes on {len(unknown)} pairs that {name} does not have: {some_of(unknown)}. "
            "A vote's pair_id must be the id of a pair in that file."
        )
    return votes


def votes_on_turn(
    votes: Sequence[HumanVote], pairs: Sequence[Pair], turn: int | None
) -> tuple[list[HumanVote], Counter[str]]:
    """The votes on that turn, None being any, and how many votes and pairs are left out, by reason."""

    def of_turn(vote: HumanVote) -> HumanVote:
        if turn not in (None, vote.turn):
            raise Unusable("vote on another turn")
        return vote

    on_turn, broken = usable(votes, of_turn)
    n_without = len({pair.id for pair in pairs} - {vote.pair_id for vote in on_turn})
    return on_turn, broken + Counter({NO_VOTE: n_without})


def votes_of_gold(
    pairs: Sequence[Pair], name: str, lost: Mapping[str, int]
) -> tuple[list[HumanVote], Counter[str]]:
    """A vote for every pair with a gold label, and how many pairs have none, by reason.

    Where none has one, the error also names what was `lost` when the file was read.
    """
    votes, broken = usable(pairs, gold_vote)
    if not votes:
        unknown = {reason: n for reason, n in broken.items() if reason != NO_VOTE} | dict(lost)
        left_out = f" Left out: {counts_in_words(unknown)}." if unknown else ""
        raise InputError(
            f"{name}: no votes. Name a file of votes with --votes, or give the pairs a column {GOLD} "
            f"that is one of {', '.join(Outcome)}.{left_out}"
        )
    return votes, broken


def gold_vote(pair: Pair) -> HumanVote:
    """The label in the pair's column gold."""
    label = pair.metadata.get(GOLD)
    if label is None or label == "":
        raise Unusable(NO_VOTE)
    ballot = ballot_of(label)
    if ballot is None:
        raise UnknownLabel(f"{GOLD} is not {', '.join(Outcome)}", label)
    turn = sum(message.role == "user" for message in pair.conversation_a)
    return HumanVote(pair.id, GOLD, Ballot(ballot.outcome.value), turn=turn, category=pair.category)

"""A pairwise LLM judge that answers in four tokens, in both orders.

    from judge import Judge, read_pairs, read_votes

    with Judge() as judge:
        verdict = judge.compare("What is 2 + 2?", "4", "It is 5.")
        print(verdict.outcome, verdict.p_a, verdict.status)

        verdicts = judge.judge(read_pairs("pairs.jsonl"))
        study = judge.agreement(verdicts, read_votes("votes.jsonl"))
        print(study.to_frame())

A pair is a prompt and two answers, a and b; these are names, not places. A verdict is what a judge says of a
pair in both orders together: its outcome is A or B only where both orders agree. Votes are what people said.

Judging         Judge, Pair, Message, Criterion, Verdict, Outcome, Status
Files           read_pairs, write_pairs, read_verdicts, write_verdicts, read_votes, write_votes
Measuring       HumanVote, Ballot, Confidence, Entrant, Study, study_of, entrants_of
Ranking models  rank, Leaderboard
Tables          verdicts_to_frame, Study.to_frame, Leaderboard.to_frame
Errors          JudgeError is the root of all that a user can mend; anything else that is raised is a bug

Importing this package loads none of them; each is loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from judge._version import __version__

if TYPE_CHECKING:
    from judge.api import Judge
    from judge.errors import JudgeError
    from judge.forms.reading import read_pairs, read_votes
    from judge.io.frames import verdicts_to_frame
    from judge.io.pairs import write_pairs
    from judge.io.verdicts import read_verdicts, write_verdicts
    from judge.io.votes import write_votes
    from judge.ranking.leaderboard import Leaderboard
    from judge.ranking.rank import rank
    from judge.records import (
        Ballot,
        Confidence,
        Criterion,
        HumanVote,
        Message,
        Outcome,
        Pair,
        Status,
        Verdict,
    )
    from judge.study.study import Entrant, Study, entrants_of, study_of

__all__ = [
    "Ballot",
    "Confidence",
    "Criterion",
    "Entrant",
    "HumanVote",
    "Judge",
    "JudgeError",
    "Leaderboard",
    "Message",
    "Outcome",
    "Pair",
    "Status",
    "Study",
    "Verdict",
    "__version__",
    "entrants_of",
    "rank",
    "read_pairs",
    "read_verdicts",
    "read_votes",
    "study_of",
    "verdicts_to_frame",
    "write_pairs",
    "write_verdicts",
    "write_votes",
]

HOME = {
    "judge.api": ("Judge",),
    "judge.errors": ("JudgeError",),
    "judge.forms.reading": ("read_pairs", "read_votes"),
    "judge.io.frames": ("verdicts_to_frame",),
    "judge.io.pairs": ("write_pairs",),
    "judge.io.verdicts": ("read_verdicts", "write_verdicts"),
    "judge.io.votes": ("write_votes",),
    "judge.ranking.leaderboard": ("Leaderboard",),
    "judge.ranking.rank": ("rank",),
    "judge.records": (
        "Ballot",
        "Confidence",
        "Criterion",
        "HumanVote",
        "Message",
        "Outcome",
        "Pair",
        "Status",
        "Verdict",
    ),
    "judge.study.study": ("Entrant", "Study", "entrants_of", "study_of"),
}
"""Which module defines which name."""


def __getattr__(name: str) -> Any:
    for module, names in HOME.items():
        if name in names:
            return getattr(import_module(module), name)
    raise AttributeError(f"module 'judge' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)

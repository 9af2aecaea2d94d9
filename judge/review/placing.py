"""What reviewers said and judges found, put to the pairs of the open file by their content."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from judge.records import Pair, Verdict
from judge.review.pairindex import IndexEntry
from judge.review.store import Event, last_words


def placed(events: Iterable[Event], by_content: Mapping[str, Sequence[IndexEntry]]) -> list[Event]:
    """The last words on the pairs of a file, each under the id that its pair has there.

    Of pairs with one content an event belongs to the one with its id; if none has it, to the first.

    Args:
        events: the last words, under the ids that the pairs had when they were said.
    """
    here = [(event, entries) for event in events if (entries := by_content.get(event.content))]
    found = [
        event
        if any(entry.id == event.pair_id for entry in entries)
        else replace(event, pair_id=entries[0].id)
        for event, entries in here
    ]
    # Only under another id can one word take the place of another, and few files have such pairs.
    return last_words(found) if any(a is not b for a, (b, _) in zip(found, here, strict=True)) else found


def by_judge(verdicts: Iterable[Verdict]) -> dict[str, dict[str, Verdict]]:
    """The verdicts of each judge, by the pair's id."""
    found: dict[str, dict[str, Verdict]] = {}
    for verdict in verdicts:
        found.setdefault(verdict.judge, {})[verdict.pair_id] = verdict
    return found


def verdicts_here(
    verdicts: Mapping[str, Verdict],
    by_id: Mapping[str, IndexEntry],
    by_content: Mapping[str, Sequence[IndexEntry]],
) -> tuple[dict[str, Verdict], list[str]]:
    """One judge's verdicts by the ids of this file, and the ids of those that are on no pair of it.

    A verdict's id is a pair's id here; if it is none, and is a pair's content hash, it is on that content.
    """
    contents = list(by_content)  # at once: another thread may still be reading the file
    by_hash = {content: content for content in contents} | {content[:16]: content for content in contents}
    here: dict[str, Verdict] = {}
    strange = []
    for id, verdict in verdicts.items():
        if id in by_id:
            here[id] = verdict
        elif id in by_hash:
            for entry in by_content[by_hash[id]]:
                here.setdefault(entry.id, replace(verdict, pair_id=entry.id))
        else:
            strange.append(id)
    return here, strange


def judged_here(
    pairs: Iterable[Pair], verdicts: Iterable[Verdict], by_content: Mapping[str, Sequence[IndexEntry]]
) -> dict[str, Verdict]:
    """Verdicts on pairs whose texts are known, by the ids of the pairs of this file that have those texts."""
    return {
        entry.id: replace(verdict, pair_id=entry.id)
        for pair, verdict in zip(pairs, verdicts, strict=True)
        for entry in by_content.get(pair.content_hash, ())
    }

"""Runs a judge over many pairs in both orders, with progress and resume."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace

from judge.backends import EngineChanged, answers_alone, keeping
from judge.backends.kept import by_halves
from judge.errors import BackendError, InputError
from judge.io.given import check_text
from judge.io.rows import Wrong, kind_of, shown
from judge.io.values import token_count
from judge.io.verdicts import probabilities_of
from judge.ledger.ledger import Entry, Ledger
from judge.methods import Method, backends_of
from judge.orders import combine
from judge.progress import Progress, silent
from judge.records import IDENTICAL, Choice, Judgment, Order, Pair, Reading, Unparsed, Verdict


def judge_pairs(
    pairs: Sequence[Pair],
    method: Method,
    ledger: Ledger | None = None,
    progress: Progress = silent,
    begun: Callable[[str], None] = lambda fingerprint: None,
) -> list[Verdict]:
    """One verdict per pair, in the pairs' order. What the ledger knows is not judged again.

    Raises:
        BackendError: the engine failed. Every batch before that is in the ledger, and of this one the pairs
            that a server had answered.
    """
    verdicts = judge_until(pairs, method, None, ledger, progress, begun)
    return [verdict for verdict in verdicts if verdict is not None]  # all of them


def judge_until(
    pairs: Sequence[Pair],
    method: Method,
    is_over: Callable[[], bool] | None,
    ledger: Ledger | None = None,
    progress: Progress = silent,
    begun: Callable[[str], None] = lambda fingerprint: None,
) -> list[Verdict | None]:
    """The same, with None for each pair that was not judged when it was over.

    Two equal answers are a tie, and nobody is asked. A reading that could not be read is asked again, and its
    pair alone where the others of its batch are known.

    Batches are planned over the whole input before anything runs, and one that is not known as a whole is
    judged as a whole, because a batch's make-up moves bf16 probabilities in their last digits; so a run that
    was interrupted ends with the same verdicts as one that was not. A readable one in the ledger stays. Of a
    backend that answers each prompt alone, only the pairs that are not known are judged.

    A server that teaches what it refuses is another judge from then on. Its verdicts are begun anew, and what
    the ledger knows of that one is not judged again.

    Where it may be over before all are judged, batches come in an order that has nothing to do with length,
    so that what is judged by then is a fair sample of the pairs.

    Args:
        is_over: no further batch is begun once this is true; None judges all pairs.
        begun: is told the judge's fingerprint before the ledger is asked, and again where it changes.

    Raises:
        BackendError: the engine failed. Every batch before that is in the ledger.
    """
    while True:
        try:
            return _judged(pairs, method, is_over, ledger, progress, begun)
        except EngineChanged:  # a server can teach only so much
            continue


def _judged(
    pairs: Sequence[Pair],
    method: Method,
    is_over: Callable[[], bool] | None,
    ledger: Ledger | None,
    progress: Progress,
    begun: Callable[[str], None],
) -> list[Verdict | None]:
    """The verdicts of one fingerprint. Raises EngineChanged where the method has another one meanwhile."""
    fingerprint = method.identity.fingerprint if ledger is None else ledger.register(method.identity)
    begun(fingerprint)
    contents = {pair.content_hash: pair for pair in pairs if not is_identical(pair)}
    known = {} if ledger is None else ledger.find(fingerprint, contents)
    batches = planned(list(contents.values()), method.batch_characters)
    is_alone = answers_alone(method.backend)
    todo = [left for batch in batches if (left := _left_of(batch, known, is_alone))]
    if ledger is not None:
        ledger.forget_replies(_unreadable_steps(todo, known))
    if is_over is None:
        method.prepare([pair for batch in todo for pair in batch], progress)
    else:
        todo.sort(key=lambda batch: batch[0].content_hash)

    n_characters = sum(map(size_of, contents.values()))
    n_left = sum(size_of(pair) for batch in todo for pair in batch)
    n_pairs_left = sum(map(len, todo))

    def show_progress() -> None:
        stage = f"judging, {len(contents) - n_pairs_left} of {len(contents)} pairs"
        progress(stage, n_characters - n_left, n_characters)

    show_progress()
    for batch in todo:
        if is_over is not None:
            if is_over():
                break
            method.prepare(batch)
        entries = _read_or_saved(batch, method, ledger, fingerprint)
        entries = [one for one in entries if not is_settled(known.get((one.content, one.order)))]
        made = {(entry.content, entry.order): entry.reading for entry in entries}
        if ledger is not None:
            ledger.record(fingerprint, entries)
            # another run may have recorded some meanwhile: these stay, and are what every later run finds
            made |= ledger.find(fingerprint, {entry.content for entry in entries})
        for key, reading in made.items():
            if not is_settled(known.get(key)):
                known[key] = reading
        n_left -= sum(map(size_of, batch))
        n_pairs_left -= len(batch)
        show_progress()
    return [_verdict_of(pair, known, fingerprint) for pair in pairs]


def _read_or_saved(
    pairs: Sequence[Pair], method: Method, ledger: Ledger | None, fingerprint: str
) -> list[Entry]:
    """The readings of a batch. Where it fails, what a server had answered by then is recorded first."""
    with ExitStack() as stack:
        kept = [stack.enter_context(keeping(backend)) for backend in backends_of(method)]
        started = time.perf_counter()
        try:
            return read_batch(pairs, method)
        except EngineChanged:  # what was answered before belongs to another judge
            raise
        except (BackendError, KeyboardInterrupt):
            if ledger is not None and all(kept):
                elapsed_s = time.perf_counter() - started
                for one in kept:
                    assert one is not None
                    stack.enter_context(one.replaying())
                saved = by_halves(pairs, lambda some: read_batch(some, method))
                if method.identity.fingerprint == fingerprint:
                    each_s = elapsed_s / max(1, len(saved))
                    ledger.record(fingerprint, [replace(entry, elapsed_s=each_s) for entry in saved])
            raise


def read_batch(pairs: Sequence[Pair], method: Method) -> list[Entry]:
    """The readings of each pair in both orders; the time they took is shared out evenly.

    What `read` took to prepare is not in it: it stands with the replies that were asked for.

    Raises:
        BackendError: one of them is no reading, so none of the batch is to be recorded.
    """
    items = [(pair, order) for pair in pairs for order in Order]
    started, prepared_s = time.perf_counter(), prepared_s_of(method)
    readings = method.read(items)
    elapsed_s = time.perf_counter() - started - (prepared_s_of(method) - prepared_s)
    refuse_odd(readings, items, method.identity.fingerprint)
    return [
        Entry(pair.content_hash, order, reading, elapsed_s / len(items))
        for (pair, order), reading in zip(items, readings, strict=True)
    ]


def prepared_s_of(method: Method) -> float:
    """Seconds that the method has prepared within `read` so far; few do, which learn there what to ask."""
    return float(getattr(method, "prepared_s", 0.0))


def refuse_odd(readings: object, items: Sequence[tuple[Pair, Order]], judge: str) -> None:
    """Raises BackendError where a method or its backend, perhaps of another package, gave no readings."""
    if not isinstance(readings, Sequence) or len(readings) != len(items):
        n_found = len(readings) if isinstance(readings, Sequence) else kind_of(readings)
        raise BackendError(f"{judge} gave {n_found} for {len(items)} readings. It must give one for each.")
    for (pair, order), reading in zip(items, readings, strict=True):
        try:
            refuse_no_reading(reading)
        except (Wrong, InputError) as error:
            raise BackendError(f"{judge} on pair {shown(pair.id)}, {order} order: {error}") from error


def refuse_no_reading(reading: object) -> None:
    """Raises Wrong for what could not be written and read again."""
    if not isinstance(reading, Judgment | Unparsed):
        raise Wrong(f"its reading is {kind_of(reading)}. It must be a Judgment or Unparsed.")
    token_count(reading.tokens_in, "tokens_in")
    token_count(reading.tokens_out, "tokens_out")
    check_text(reading.raw, "raw")
    if isinstance(reading, Unparsed):
        check_text(reading.reason, "reason")
        return
    if not isinstance(reading.choice, Choice):
        raise Wrong(f"its choice is {shown(reading.choice)}. It must be a Choice.")
    if reading.probabilities is not None:
        probabilities_of(dict(reading.probabilities), "probabilities")


def planned(pairs: Sequence[Pair], batch_characters: int) -> list[list[Pair]]:
    """The pairs in batches, longest first, so what does not fit shows at once and time left is realistic.

    The plan depends on the pairs' contents and the batch size, not on their order in the file. A small input
    is cut into about ten batches, so that progress moves, but none is less than a quarter of the full size:
    it would share and pack too little.
    """
    batches: list[list[Pair]] = []
    n_characters = sum(map(size_of, pairs))
    max_characters = min(batch_characters, max(batch_characters // 4, n_characters // 10))
    room = 0
    for pair in sorted(pairs, key=lambda pair: (-size_of(pair), pair.content_hash)):
        if not batches or size_of(pair) > room:
            batches.append([])
            room = max_characters
        batches[-1].append(pair)
        room -= size_of(pair)
    return batches


def size_of(pair: Pair) -> int:
    """How many characters of a pair a judge reads in one order, at least 1."""
    texts = [pair.system or "", pair.reference or ""]
    texts += [message.content for message in (*pair.conversation_a, *pair.conversation_b)]
    return max(1, sum(map(len, texts)))


def is_identical(pair: Pair) -> bool:
    """Whether both conversations say the same, spaces around the messages apart: nothing is to be judged."""
    a, b = (
        [(m.role, m.content.strip()) for m in each] for each in (pair.conversation_a, pair.conversation_b)
    )
    return a == b


def _left_of(batch: list[Pair], known: dict[tuple[str, Order], Reading], is_alone: bool) -> list[Pair]:
    """What of a batch is to be judged: the pairs that were not read, and the others with them where a reading
    is missing and the backend does not answer each prompt alone."""
    readings = {
        pair.content_hash: [known.get((pair.content_hash, order)) for order in Order] for pair in batch
    }
    if not is_alone and any(reading is None for both in readings.values() for reading in both):
        return batch
    return [pair for pair in batch if not all(map(is_settled, readings[pair.content_hash]))]


def is_settled(reading: Reading | None) -> bool:
    """Whether it was read, or its samples are even: asked again, others would be drawn until they are not."""
    return isinstance(reading, Judgment) or (isinstance(reading, Unparsed) and reading.is_draw)


def _unreadable_steps(batches: Sequence[Sequence[Pair]], known: dict[tuple[str, Order], Reading]) -> set[str]:
    """The shared replies that are why readings could not be read: those of readings that came no further."""
    readings = (
        known.get((pair.content_hash, order)) for batch in batches for pair in batch for order in Order
    )
    return {
        step.shared
        for reading in readings
        if isinstance(reading, Unparsed) and all(step.shared for step in reading.steps)
        for step in reading.steps
    }


def _verdict_of(pair: Pair, known: dict[tuple[str, Order], Reading], fingerprint: str) -> Verdict | None:
    if is_identical(pair):
        return combine(pair.id, dict.fromkeys(Order, IDENTICAL), fingerprint)
    readings = {order: known.get((pair.content_hash, order)) for order in Order}
    whole = {order: reading for order, reading in readings.items() if reading is not None}
    return combine(pair.id, whole, fingerprint) if len(whole) == len(Order) else None

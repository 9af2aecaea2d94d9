"""Whether the quick ways through a model give what transformers' own pass gives, on the device it is on.

Some seconds on a GPU: worth it before a long run on a machine or with libraries that were never tried.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from judge.backends import Sampling
from judge.errors import BackendError
from judge.records import Prompt, Span

if TYPE_CHECKING:
    from judge.backends.loaded import LoadedModel

MAX_DIFFERENCE = 0.75  # log-odds of one prompt; bf16 noise comes to 0.3, a wrong mask is whole units
MAX_MEAN_DIFFERENCE = 0.15
MAX_OTHER_STARTS = 0.1  # share of the replies that may begin otherwise, where one always may: near ties
N_REPLIES = 8
N_NEW = 24

SENTENCES = (
    "The answer depends on how large the numbers are. ",
    "Water boils at a lower temperature on a mountain. ",
    "A list keeps its order, and a set does not. ",
    "Nobody has measured it twice, so take it with care. ",
    "First sort the words, then count the equal ones. ",
)


def check_parity(model: LoadedModel, n: int = 24) -> dict[str, float]:
    """Compares packed passes and the decoding of many rows with the model's own, on made-up prompts.

    Args:
        n: how many prompts' letters are compared; they share beginnings and differ in length.

    Returns:
        `max_difference_log_odds` and `mean_difference_log_odds`; `n_same_letters` of `n` where the likelier
        letter is the same; `n_same_tokens` of `n_tokens` written greedily; `elapsed_s`.

    Raises:
        BackendError: they differ by more than rounding can explain; names the figure.
    """
    started = time.perf_counter()
    letters = model.encoder.choice_ids("AB", "[[")
    sequences = sorted({one.ids for one in model.encoder.encode(_prompts(n, "[["))})
    packed, _ = model.choice_logits(sequences, letters)
    plain = model.plain_logits(sequences, letters)
    ours, own = packed.diff(dim=1)[:, 0], plain.diff(dim=1)[:, 0]
    differences = (ours - own).abs()
    most, mean = differences.max().item(), differences.mean().item()
    _refuse_above("the largest difference in log-odds", most, MAX_DIFFERENCE)
    _refuse_above("the mean difference in log-odds", mean, MAX_MEAN_DIFFERENCE)

    greedy = Sampling(max_new_tokens=N_NEW)
    starts = sorted({one.ids for one in model.encoder.encode(_prompts(N_REPLIES, ""))})
    written, _ = model.written(starts, greedy)
    expected = [_to_its_end(one, model.end_ids()) for one in model.written_padded(starts, greedy)]
    replies = list(zip(written, expected, strict=True))
    n_other = sum(one[:1] != other[:1] for one, other in replies)
    _refuse_above("replies that begin otherwise", n_other, max(1, MAX_OTHER_STARTS * len(replies)))
    return {
        "max_difference_log_odds": most,
        "mean_difference_log_odds": mean,
        "n_same_letters": int(((ours > 0) == (own > 0)).sum()),
        "n": len(sequences),
        "n_same_tokens": sum(_n_same(one, other) for one, other in replies),
        "n_tokens": sum(max(len(one), len(other)) for one, other in replies),
        "elapsed_s": time.perf_counter() - started,
    }


def _prompts(n: int, reply_start: str) -> list[Prompt]:
    """Different prompts, four to a question; the answers have from one sentence to some dozens."""
    return [_prompt(i // 4, i, reply_start) for i in range(n)]


def _prompt(question: int, number: int, reply_start: str) -> Prompt:
    first, second = _text(1 + 7 * number % 31, number), _text(1 + 11 * (number // 2) % 23, number // 2)
    spans = (
        Span("Two answers to one question follow. Say which is better: [[A]] or [[B]].\n\nQuestion: "),
        Span(f"{_text(2 + question, question)}What follows from that for case {question}?", "context"),
        Span("\n\nAnswer A: "),
        Span(second, "first"),
        Span("\n\nAnswer B: "),
        Span(first, "second"),
    )
    return Prompt((("user", spans),), reply_start, "]]" if reply_start else "", f"check {number}")


def _text(n_sentences: int, start: int) -> str:
    return "".join(SENTENCES[(start + i * (start + 1)) % len(SENTENCES)] for i in range(n_sentences))


def _to_its_end(ids: Sequence[int], ends: set[int]) -> list[int]:
    """The tokens up to the first end of turn, with it."""
    n = next((i + 1 for i, token in enumerate(ids) if token in ends), len(ids))
    return list(ids[:n])


def _n_same(one: Sequence[int], other: Sequence[int]) -> int:
    return sum(a == b for a, b in zip(one, other, strict=False))


def _refuse_above(what: str, found: float, limit: float) -> None:
    if not found <= limit:  # nor what is no number
        raise BackendError(
            f"the quick ways through this model are not its own here: {what}: {found:.3g}, at most "
            f"{limit:.3g} is rounding. Use --device cpu."
        )

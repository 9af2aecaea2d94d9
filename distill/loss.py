"""What a student minimises: the reply's cross-entropy and, if asked for, how far its two orders are apart.

All losses are in nats, one a row or a pair, so that batches of any size add up to a step. Tensors are
float32.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import cache
from typing import TYPE_CHECKING, Any

from judge.backends.local import float32_products

if TYPE_CHECKING:
    from torch import Tensor


PLACES = 256
"""The logits of this many places are held at a time: 150 MB in float32 over 151,936 words."""


@contextmanager
def short_factors(dtype: str) -> Iterator[None]:
    """Inside, float32 products may be made of factors as short as `dtype`, "bfloat16" or "float32".

    Numbers that come from bfloat16 lose nothing by that, their sums stay in float32, and a processor that
    multiplies bfloat16 quickly makes logits twice as fast.
    """
    with float32_products("medium") if dtype == "bfloat16" else nullcontext():
        yield


def log_probabilities(
    hidden: Tensor, head: Tensor, targets: Tensor, letters: Sequence[int] = ()
) -> tuple[Tensor, Tensor]:
    """The log-probability of the target at each place, and of each allowed letter there.

    Shapes (places,) and (places, letters).

    Args:
        hidden: the last hidden states, shape (places, size). head: shape (vocabulary, size).
        targets: token ids, shape (places,).
        letters: the ids of the allowed letters.
    """
    import torch

    allowed = torch.tensor(list(letters), dtype=targets.dtype, device=targets.device)
    words = torch.cat([targets[:, None], allowed.expand(len(targets), -1)], dim=1)
    logs = log_probabilities_of(hidden, head, words)
    return logs[:, 0], logs[:, 1:]


def log_probabilities_of(hidden: Tensor, head: Tensor, words: Tensor) -> Tensor:
    """The log-probability of some words of its own at each place, shape (places, words).

    The logits of `PLACES` places at a time are made once, and not kept. The gradient needs only this of them:
    by the hidden state, the log-probability of a word has the word's row of `head` less the mean of all rows,
    each as likely as its word. `head` itself gets no gradient.

    Args:
        hidden, head: as above. words: token ids, shape (places, words).
    """
    return _function().apply(hidden, head, words)  # type: ignore[no-any-return]


@cache
def _function() -> Any:
    """The class that torch differentiates; made late, as importing torch takes a second."""
    import torch

    class LogProbabilities(torch.autograd.Function):
        @staticmethod
        def forward(context: Any, hidden: Tensor, head: Tensor, words: Tensor) -> Tensor:
            logs, means = [], []
            for some, wanted in zip(torch.split(hidden, PLACES), torch.split(words, PLACES), strict=True):
                logits = some @ head.T
                total = logits.logsumexp(dim=-1, keepdim=True)
                logs.append(logits.gather(1, wanted) - total)
                if context.needs_input_grad[0]:
                    means.append(logits.sub_(total).exp_() @ head)
            if means:
                context.save_for_backward(head, words, torch.cat(means))
            return torch.cat(logs)

        @staticmethod
        def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
            [gradient] = gradients
            head, words, means = context.saved_tensors
            parts = zip(torch.split(gradient, PLACES), torch.split(words, PLACES), strict=True)
            rows = torch.cat([torch.einsum("pw,pws->ps", some, head[own]) for some, own in parts])
            return rows - gradient.sum(dim=1, keepdim=True) * means, None, None

    return LogProbabilities


def likeliest(hidden: Tensor, head: Tensor) -> Tensor:
    """The id of the likeliest token at each place, shape (places,); arguments as above, without gradients."""
    import torch

    with torch.no_grad():
        return torch.cat([(some @ head.T).argmax(dim=-1) for some in torch.split(hidden, PLACES)])


def by_row(values: Tensor, lengths: Sequence[int]) -> Tensor:
    """The sum over the places of each row, shape (rows,).

    Args:
        values: of all places, row after row, shape (places,). lengths: how many places each row has.
    """
    import torch

    return torch.stack([one.sum() for one in torch.split(values, list(lengths))])


def verdict_loss(
    own: Tensor, of_letters: Tensor, lengths: Sequence[int], places: Sequence[int], weights: Tensor
) -> Tensor:
    """The cross-entropy of each row's reply, shape (rows,): the sum over its tokens.

    Args:
        own, of_letters: log-probabilities, as `log_probabilities` gives them.
        lengths: how many places each row has.
        places: which of all places is each row's letter; there `weights` are learned, not only the target.
        weights: the probability of each letter that is learned, shape (rows, letters).
    """
    open_places = list(places)
    of_letter = (of_letters[open_places] * weights).sum(dim=1)
    return own[open_places] - by_row(own, lengths) - of_letter


def letter_loss(logits: Tensor, weights: Tensor) -> Tensor:
    """The cross-entropy of each row's letter among the allowed ones, shape (rows,): 0.693 is chance for two.

    Args:
        logits: of the allowed letters, shape (rows, letters).
        weights: the probability of each letter that is learned, shape (rows, letters).
    """
    return -(logits.log_softmax(dim=-1) * weights).sum(dim=1)


def symmetry_loss(ab: Tensor, ba: Tensor) -> Tensor:
    """How far apart a pair's two orders are, shape (pairs,): Jeffreys' divergence, halved.

    It is 0 where both give each response the same probability, whichever is shown first.

    Args:
        ab, ba: logits in either order of the letters for first, second and, if allowed, tie; shape
            (pairs, letters).
    """
    swapped = ba[:, [1, 0, *range(2, ba.shape[1])]]
    one, other = ab.log_softmax(dim=-1), swapped.log_softmax(dim=-1)
    return ((one.exp() - other.exp()) * (one - other)).sum(dim=1) / 2

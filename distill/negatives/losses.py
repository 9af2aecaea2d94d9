"""What is minimised where wrong traces count: unlikelihood, and negative calibrated enhancement (NCE).

All losses are in nats. Unlikelihood: Welleck et al. (arXiv:1908.04319). NCE: Li et al. (arXiv:2312.12832).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

LEAST = 1e-5
"""A token that is likelier than 1 less this is pushed no further, as the gradient would have no bound."""


def unlikelihood(own: Tensor) -> Tensor:
    """-log(1 - p) of tokens that shall not be said, shape (places,).

    Args:
        own: their log-probabilities log p, shape (places,).
    """
    return -(-own.expm1()).clamp(min=LEAST).log()


def signed_loss(own: Tensor, is_wrong: Tensor) -> Tensor:
    """-log p of a right reply's tokens and -log(1 - p) of a wrong one's, shape (places,).

    Args:
        own: log-probabilities of the tokens, shape (places,).
        is_wrong: whether a token's reply is wrong, bool, shape (places,).
    """
    return unlikelihood(own).where(is_wrong, -own)


def divergences(negative: Tensor, nat: Tensor) -> Tensor:
    """KL(p_negative || p_NAT) = sum over words of p_negative (log p_negative - log p_NAT), shape (places,).

    Args:
        negative, nat: log-probabilities of all words, shape (places, words).
    """
    return (negative.exp() * (negative - nat)).sum(dim=1)


def betas(divergence: Tensor, lengths: Sequence[int]) -> Tensor:
    """beta = tanh(KL(p_negative || p_NAT)) of each row, from 0 to 1, shape (rows,).

    The divergence of a row is the mean over its tokens. It is large where the wrong traces go another way:
    there the student listens to its teacher most.

    Args:
        divergence: of all places, row after row, shape (places,). lengths: how many places each row has.
    """
    import torch

    return torch.stack([one.mean() for one in torch.split(divergence, list(lengths))]).tanh()


def nce_loss(ce: Tensor, kd: Tensor, beta: Tensor) -> Tensor:
    """0.5 CE + 0.5 (0.5 + beta) KD of each row, shape (rows,).

    Args:
        ce: cross-entropy of each row's reply, shape (rows,).
        kd: cross-entropy with the teacher's probabilities in place of the reply, shape (rows,).
        beta: as `betas` gives it, shape (rows,).
    """
    return 0.5 * ce + 0.5 * (0.5 + beta) * kd

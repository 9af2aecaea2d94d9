"""The losses, against figures made by hand and by torch's own cross-entropy."""

from __future__ import annotations

import math

import pytest

from distill.loss import letter_loss, symmetry_loss, verdict_loss

torch = pytest.importorskip("torch")

LETTERS = [3, 5]


def some_logits(*shape: int):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(7))


def test_with_a_hard_target_the_verdicts_loss_is_the_cross_entropy_of_all_its_tokens():
    logits = some_logits(2, 4, 9)
    targets = torch.tensor([[1, 3, 2, 8], [1, 5, 2, 8]])
    weights = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    expected = torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none")
    found = verdict_loss(logits, targets, 1, LETTERS, weights)
    assert torch.allclose(found, expected.view(2, 4).sum(dim=1), atol=1e-5)


def test_with_a_soft_target_the_letter_counts_as_far_as_it_is_likely():
    logits = some_logits(1, 4, 9)
    targets = torch.tensor([[1, 3, 2, 8]])
    one, other = (
        verdict_loss(logits, targets, 1, LETTERS, torch.tensor([w])) for w in ([1.0, 0.0], [0.0, 1.0])
    )
    mixed = verdict_loss(logits, targets, 1, LETTERS, torch.tensor([[0.7, 0.3]]))
    assert mixed.item() == pytest.approx(0.7 * one.item() + 0.3 * other.item(), abs=1e-5)


def test_a_guess_between_two_letters_costs_ln_2_and_among_three_ln_3():
    assert letter_loss(torch.zeros(1, 2), torch.tensor([[1.0, 0.0]])).item() == pytest.approx(math.log(2))
    assert letter_loss(torch.zeros(1, 3), torch.tensor([[0.0, 0.0, 1.0]])).item() == pytest.approx(
        math.log(3)
    )


def test_orders_that_agree_on_the_response_cost_nothing_and_those_that_agree_on_the_place_do():
    ab = torch.tensor([[2.0, -1.0]])
    assert symmetry_loss(ab, ab.flip(1)).item() == pytest.approx(0.0, abs=1e-7)
    # P(a) is sigmoid(3) in one order and sigmoid(-3) in the other: half of (p - q)(logit p - logit q)
    p, q = 1 / (1 + math.exp(-3)), 1 / (1 + math.exp(3))
    assert symmetry_loss(ab, ab).item() == pytest.approx((p - q) * 6 / 2, abs=1e-5)


def test_a_tie_is_a_tie_in_either_order():
    ab, ba = torch.tensor([[1.0, 0.0, 2.0]]), torch.tensor([[0.0, 1.0, 2.0]])
    assert symmetry_loss(ab, ba).item() == pytest.approx(0.0, abs=1e-7)


def test_symmetry_is_the_same_whichever_order_is_named_first_and_its_gradient_pulls_them_together():
    ab, ba = some_logits(3, 2).requires_grad_(), some_logits(3, 2)
    assert torch.allclose(symmetry_loss(ab, ba), symmetry_loss(ba, ab), atol=1e-6)
    before = symmetry_loss(ab, ba).sum()
    before.backward()
    after = symmetry_loss(ab.detach() - 0.01 * ab.grad, ba).sum()
    assert after < before

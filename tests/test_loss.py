"""The losses, against figures made by hand and by torch's own cross-entropy."""

from __future__ import annotations

import math

import pytest

from distill import loss
from distill.loss import (
    by_row,
    letter_loss,
    likeliest,
    log_probabilities,
    log_probabilities_of,
    short_factors,
    symmetry_loss,
    verdict_loss,
)

torch = pytest.importorskip("torch")

LETTERS = [3, 5]


def some_logits(*shape: int):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(7))


def loss_of_verdicts(logits, targets, places, weights):
    """The loss of rows of 4 tokens, shape (rows,); the head is the identity, so hidden states are logits."""
    flat = logits.flatten(0, 1)
    own, of_letters = log_probabilities(flat, torch.eye(flat.shape[1]), targets.flatten(), LETTERS)
    return verdict_loss(own, of_letters, [4] * len(targets), places, weights)


def test_with_a_hard_target_the_verdicts_loss_is_the_cross_entropy_of_all_its_tokens():
    logits = some_logits(2, 4, 9)
    targets = torch.tensor([[1, 3, 2, 8], [1, 5, 2, 8]])
    weights = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    expected = torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none")
    found = loss_of_verdicts(logits, targets, [1, 5], weights)
    assert torch.allclose(found, expected.view(2, 4).sum(dim=1), atol=1e-5)


def test_with_a_soft_target_the_letter_counts_as_far_as_it_is_likely():
    logits = some_logits(1, 4, 9)
    targets = torch.tensor([[1, 3, 2, 8]])
    one, other, mixed = (
        loss_of_verdicts(logits, targets, [1], torch.tensor([w])).item()
        for w in ([1.0, 0.0], [0.0, 1.0], [0.7, 0.3])
    )
    assert mixed == pytest.approx(0.7 * one + 0.3 * other, abs=1e-5)


def test_replies_of_any_length_add_up_by_row():
    assert by_row(torch.tensor([1.0, 2.0, 4.0, 8.0, 16.0]), [1, 3, 1]).tolist() == [1.0, 14.0, 16.0]


@pytest.mark.slow
@pytest.mark.parametrize("n_places", [5, 6, 17])
def test_a_long_reply_is_counted_in_parts_with_the_values_and_gradients_of_the_whole(monkeypatch, n_places):
    hidden, head = some_logits(n_places, 8), some_logits(11, 8)
    targets = torch.arange(n_places) % 11
    weights = torch.linspace(1.0, 2.0, n_places)
    gradients, values = [], []
    for places in (1000, 5):
        monkeypatch.setattr(loss, "PLACES", places)
        own_hidden = hidden.clone().requires_grad_()
        own, of_letters = log_probabilities(own_hidden, head, targets, LETTERS)
        (own * weights + of_letters[:, 0]).sum().backward()
        gradients.append(own_hidden.grad)
        values.append(torch.cat([own[:, None], of_letters], dim=1))
        assert likeliest(hidden, head).tolist() == (hidden @ head.T).argmax(dim=1).tolist()
    expected = -torch.nn.functional.cross_entropy(hidden @ head.T, targets, reduction="none")
    assert torch.allclose(values[1][:, 0], expected, atol=1e-5)
    assert torch.allclose(*values, atol=1e-6)
    assert torch.allclose(*gradients, atol=1e-5)


def test_words_of_their_own_have_the_gradients_of_a_log_softmax(monkeypatch):
    monkeypatch.setattr(loss, "PLACES", 3)
    hidden, head = some_logits(7, 8).double(), some_logits(11, 8).double().flip(0)
    words = (torch.arange(28).view(7, 4) * 5) % 11  # some of them twice at one place
    asked = some_logits(7, 4).double()
    one, other = (hidden.clone().requires_grad_() for _ in range(2))
    found = log_probabilities_of(one, head, words)
    expected = (other @ head.T).log_softmax(dim=-1).gather(1, words)
    assert torch.allclose(found, expected)
    (found * asked).sum().backward()
    (expected * asked).sum().backward()
    assert torch.allclose(one.grad, other.grad)
    with torch.no_grad():
        assert torch.equal(log_probabilities_of(hidden, head, words), found)


@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
def test_products_of_short_factors_are_as_exact_as_long_ones_and_the_setting_comes_back(dtype):
    hidden, head = some_logits(64, 96).bfloat16().float(), some_logits(512, 96).bfloat16().float()
    before = torch.get_float32_matmul_precision()
    with short_factors(dtype):
        found = hidden @ head.T
    assert torch.get_float32_matmul_precision() == before
    assert torch.allclose(found.double(), hidden.double() @ head.double().T, atol=1e-4)


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

"""Other ways to combine signals: on made ones of which it is known how often each is right."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.combining import dawid_skene, first_component, fitted_on_labels

N = 4000
TRUTH = np.where(np.random.default_rng(1).random(N) < 0.5, -1.0, 1.0)


def signal(right: float, seed: int, size: float = 1.0):
    """A signal that is right on this share of the pairs, whatever the others say."""
    dice = np.random.default_rng(seed)
    return TRUTH * np.where(dice.random(N) < right, 1, -1) * size * (0.5 + dice.random(N))


SIGNALS = np.array([signal(0.7, 2), signal(0.6, 3, 9.0), signal(0.8, 4, 0.1)])


def right(numbers) -> float:
    return float((np.sign(numbers) == TRUTH).mean())


def test_a_label_model_finds_out_which_signal_to_follow():
    assert right(SIGNALS[0]) == pytest.approx(0.7, abs=0.02)
    assert right(dawid_skene(SIGNALS)) == pytest.approx(0.8, abs=0.02), "the best one outweighs both others"
    assert right(dawid_skene(SIGNALS)) > right(SIGNALS.sum(axis=0))


def test_a_label_model_is_led_astray_by_signals_that_err_together():
    echo = SIGNALS[1] * np.where(np.random.default_rng(5).random(N) < 0.98, 1, -1)
    together = np.array([SIGNALS[0], SIGNALS[1], echo])
    assert right(dawid_skene(together)) == pytest.approx(right(SIGNALS[1]), abs=0.02)


def test_a_signal_that_says_nothing_is_no_vote():
    silent = np.vstack([SIGNALS, np.zeros(N)])
    assert np.sign(dawid_skene(silent)).tolist() == np.sign(dawid_skene(SIGNALS)).tolist()


def test_the_first_component_has_the_first_signals_sign_and_no_regard_for_size():
    found = first_component(SIGNALS, SIGNALS[0])
    assert right(found) > 0.75
    turned = np.vstack([-SIGNALS[0], SIGNALS[1:]])
    assert right(first_component(turned, turned[0])) == pytest.approx(1 - right(found))
    resized = SIGNALS * np.array([[1.0], [50.0], [2.0]])
    assert first_component(resized, resized[0]) == pytest.approx(found)


def test_labels_tell_the_weights_and_never_those_of_their_own_pair():
    assert right(fitted_on_labels(SIGNALS, TRUTH)) > 0.78
    noise = np.random.default_rng(6).standard_normal((30, 300))
    labels = TRUTH[:300]
    assert np.mean(np.sign(fitted_on_labels(noise, labels)) == labels) < 0.6

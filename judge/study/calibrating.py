"""Verdicts and people's votes on them -> a calibration: its file, and what to say of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from judge.errors import InputError
from judge.io.wording import some_of
from judge.metrics.bootstrap import N_DRAWS, Estimate, Floats, Measure, Resampler, difference, estimate
from judge.metrics.calibration import brier, ece
from judge.metrics.panel import Ints, Panel, decided, in_order, panel_of, sides_of, verdicts_by_id, with_judge
from judge.metrics.recalibration import (
    N_FOLDS,
    PRIOR,
    Band,
    Odds,
    band_for,
    fitted,
    line_intervals,
    log_loss,
    odds_of,
    on_other_questions,
    place_bias,
    rows_with,
    votes_needed,
)
from judge.models.separation import adapter_in
from judge.orders import log_odds_of_a
from judge.records import Calibration, HumanVote, Pair, Share, Verdict, has_rule, sha256_of_json
from judge.study.glossary import counted

FEWEST_VOTES = 30
DIGITS = 6
"""Fitted values are rounded to so many decimals, so that all machines write the same ones."""

ERRORS = {"ece": "ECE", "brier": "Brier score", "log_loss": "Log loss"}
"""What a calibration is to lower, and what it is called in tables; 0 is best of each."""


@dataclass(frozen=True, slots=True)
class Fit:
    """A calibration and how it was made.

    `before` and `after` are the errors of P(A) as the judge gives it and as it is calibrated on other
    questions; `gain` is what is saved, paired. `n_ties` votes are ties and `n_votes_left_out` are on pairs
    without a verdict or a probability; no figure counts them. `covered` and `right` are the votes that the
    band leaves, and the share of them that is right by the side of P(A), the mean of both orders; None
    without a band. `strict` is the share right of the votes that the outcomes of verdicts leave under it:
    these need both orders to say the same.
    `votes_needed` tells how many votes would show that the log loss gains, None if these do or none would.
    """

    calibration: Calibration
    n_votes: int
    n_ties: int
    n_votes_left_out: int
    n_pairs: int
    n_questions: int
    slope: Estimate
    offset: Estimate
    place_bias: Estimate
    before: Mapping[str, Estimate]
    after: Mapping[str, Estimate]
    gain: Mapping[str, Estimate]
    precision: float | None
    covered: Share | None
    right: Estimate | None
    strict: Share | None
    votes_needed: int | None
    data_hash: str

    def as_json(self) -> dict[str, Any]:
        """The calibration file: no clock in it, so equal votes give equal bytes."""
        from judge.io.calibrations import SCHEMA

        band = None
        if self.covered is not None and self.right is not None and self.strict is not None:
            below, covered = self.calibration.undecided_below, asdict(self.covered)
            band = {
                "precision": self.precision,
                "below": below,
                "covered": covered,
                "right": _json(self.right),
                "strict": asdict(self.strict),
            }
        return {
            "schema": SCHEMA,
            "judge": self.calibration.judge,
            "adapter": adapter_in(self.calibration.judge),
            "n_votes": self.n_votes,
            "n_ties": self.n_ties,
            "n_votes_left_out": self.n_votes_left_out,
            "n_pairs": self.n_pairs,
            "n_questions": self.n_questions,
            "data_hash": self.data_hash,
            "slope": _json(self.slope),
            "offset": _json(self.offset),
            "place_bias": _json(self.place_bias),
            "undecided": band,
            "prior": {"slope": 1.0, "offset": 0.0, "standard_deviation": PRIOR},
            "folds": min(N_FOLDS, self.n_questions),
            "before": {name: _json(one) for name, one in self.before.items()},
            "after": {name: _json(one) for name, one in self.after.items()},
            "gain": {name: _json(one) for name, one in self.gain.items()},
            "votes_needed": self.votes_needed,
        }


@dataclass(frozen=True, slots=True)
class Beside:
    """A judge's log-odds beside the votes that are no ties.

    `p_a` is the P(A) that it gives for each, and `strict` its outcome: 1 for A, -1 for B, 0 for none.
    """

    panel: Panel
    odds: Odds
    p_a: Floats
    strict: Ints
    n_ties: int


def calibrate(
    verdicts: Sequence[Verdict],
    votes: Sequence[HumanVote],
    pairs: Sequence[Pair] | None = None,
    precision: float | None = None,
) -> Fit:
    """The calibration of one judge by these votes.

    Args:
        pairs: the pairs' texts, which say what pairs share a question; without them each is its own.
        precision: the share right, from 0.5 to 1, of what is not undecided; None calls everything.

    Raises:
        InputError: several judges or a calibrated one, no probabilities, fewer than 30 votes that are no
            ties, one question alone, a judge whose P says nothing of the votes, or a precision that it has
            nowhere.
    """
    judge = _judge_of(verdicts)
    beside = odds_beside(verdicts, votes, pairs)
    odds = beside.odds
    _refuse_too_few(beside)
    line = fitted(odds)
    if round(line.slope, DIGITS) <= 0:
        raise InputError(
            f"{judge}: the slope is {line.slope:.2f}: this judge's P says nothing of these votes, or the "
            "opposite. Look at its agreement with `judge report --votes` before you calibrate it."
        )
    resampler = Resampler(odds.n_questions, N_DRAWS)
    anew = on_other_questions(odds)
    was, now = errors_of(odds, beside.p_a), errors_of(odds, anew)
    gain = {name: difference(was[name], now[name], resampler) for name in ERRORS}
    band = None if precision is None else _band(odds, anew, precision)
    slope, offset = line_intervals(odds)
    below = 0.5 if band is None else math.floor(band.below * 10**DIGITS) / 10**DIGITS
    return Fit(
        calibration=Calibration(judge, round(line.slope, DIGITS), round(line.offset, DIGITS), below),
        n_votes=odds.n,
        n_ties=beside.n_ties,
        n_votes_left_out=len(votes) - len(beside.panel.voted),
        n_pairs=len(beside.panel.pair_ids),
        n_questions=odds.n_questions,
        slope=slope,
        offset=offset,
        place_bias=estimate(place_bias(odds), resampler),
        before={name: estimate(one, resampler) for name, one in was.items()},
        after={name: estimate(one, resampler) for name, one in now.items()},
        gain=gain,
        precision=precision,
        covered=None if band is None else Share(int(band.answered.sum()), odds.n),
        right=None if band is None else estimate(band.right, resampler),
        strict=None if band is None else _strict_right(beside, anew, band),
        votes_needed=votes_needed(gain["log_loss"]),
        data_hash=_hash_of(beside.panel, verdicts),
    )


def format_fit(fit: Fit) -> str:
    """A calibration in a few readable lines."""
    lines = [
        f"Judge: {fit.calibration.judge}",
        f"{fit.n_votes:,} votes that are no ties, on {fit.n_questions:,} questions; {_left_out(fit)}",
        f"Slope {_with_interval(fit.slope, 2)}, offset {_with_interval(fit.offset, 2)}",
        f"Place bias {_with_interval(fit.place_bias, 2)}: what the first place gains in log-odds; both "
        "orders together cancel it",
        "On questions that it was not fitted on:",
        *(
            f"  {label}: {fit.before[name].value:.3f} before, {fit.after[name].value:.3f} after, gain "
            f"{_with_interval(fit.gain[name], 3)}"
            for name, label in ERRORS.items()
        ),
        *_band_in_words(fit),
        worth_in_words(fit),
    ]
    return "\n".join(lines)


def _left_out(fit: Fit) -> str:
    ties = f"{fit.n_ties:,} ties"
    if not fit.n_votes_left_out:
        return f"{ties} are left out"
    more = counted(fit.n_votes_left_out, "vote")
    return f"{ties} and {more} on pairs without a verdict or a probability are left out"


def worth_in_words(fit: Fit) -> str:
    """Whether these votes show that the calibration helps, and how many would."""
    gain = fit.gain["log_loss"]
    if gain.low is None or gain.high is None:
        return "These votes are too few or too much alike to show whether it helps."
    if gain.low > 0:
        return "These votes show that it helps: the log loss gains, all of its interval."
    if gain.high < 0:
        return "It does not help: on other questions the log loss is worse."
    more = "more of them would not tell" if fit.votes_needed is None else f"about {fit.votes_needed:,} would"
    return f"These votes do not show whether it helps; {more}."


def _band_in_words(fit: Fit) -> list[str]:
    if fit.covered is None or fit.right is None or fit.right.value is None:
        return []
    ends = ""
    if fit.right.low is not None and fit.right.high is not None:
        ends = f" ({100 * fit.right.low:.1f} to {100 * fit.right.high:.1f})"
    return [
        f"Undecided below {fit.calibration.undecided_below:.3f}: {fit.covered} of the votes are left, and "
        f"{100 * fit.right.value:.1f} %{ends} of those are right by the side of P(A), the mean of both "
        "orders",
        *_strict_in_words(fit),
    ]


def _strict_in_words(fit: Fit) -> list[str]:
    """What a band comes to for the outcomes of verdicts, where that is anything else."""
    if fit.strict is None or fit.covered is None or fit.strict.total == fit.covered.count:
        return []
    left = Share(fit.strict.total, fit.n_votes)
    return [f"  By the outcome, on which both orders agree: {left} are left, {fit.strict} of those right"]


def _with_interval(one: Estimate, digits: int) -> str:
    if one.value is None:
        return "-"
    if one.low is None or one.high is None:
        return f"{one.value:z.{digits}f}"
    return f"{one.value:z.{digits}f} ({one.low:z.{digits}f} to {one.high:z.{digits}f})"


def _judge_of(verdicts: Sequence[Verdict]) -> str:
    """The one judge of these verdicts."""
    judges = sorted({verdict.judge for verdict in verdicts})
    if len(judges) != 1:
        raise InputError(
            f"verdicts of {len(judges)} judges: {some_of(judges)}. A calibration is of one judge: split the "
            "file and make one for each."
        )
    if has_rule(judges[0]):
        raise InputError(
            f"these verdicts are calibrated already, or abstain: {judges[0]}. Run `judge run` without "
            "--calibration and --abstain-below first; the ledger has the readings."
        )
    return judges[0]


def odds_beside(
    verdicts: Sequence[Verdict], votes: Sequence[HumanVote], pairs: Sequence[Pair] | None
) -> Beside:
    """One judge's verdicts beside the votes on the pairs of which it gives probabilities.

    Raises:
        InputError: there is no such pair, a voted one is not among `pairs`, or it has two verdicts.
    """
    voted = {vote.pair_id for vote in votes}
    by_id = verdicts_by_id(verdict for verdict in verdicts if verdict.pair_id in voted)
    if not by_id:
        raise InputError(
            f"none of the {len(verdicts)} judged pairs has a vote. Votes name a pair by its id (pair_id)."
        )
    found = {id: log_odds_of_a(verdict) for id, verdict in by_id.items()}
    ids = [id for id, both in found.items() if both is not None]
    if not ids:
        raise InputError(
            "this judge gives no probabilities, and a calibration goes by them. Take fast, score, direct or "
            "bsm."
        )
    panel = panel_of(ids, votes, None if pairs is None else in_order(ids, pairs))
    rows = with_judge(panel, sides_of([by_id[id] for id in ids], panel))
    in_ab, in_ba = np.array([found[id] for id in ids], np.float64)[panel.voted_pair].T
    is_decided = decided(rows.voted)
    assert rows.p_a is not None  # as there are log-odds
    odds = odds_of(rows, in_ab, in_ba)
    return Beside(panel, odds, rows.p_a[is_decided], rows.judged[is_decided], int((~is_decided).sum()))


def _refuse_too_few(beside: Beside) -> None:
    odds = beside.odds
    if odds.n < FEWEST_VOTES:
        ties = f" ({beside.n_ties} ties do not count)" if beside.n_ties else ""
        raise InputError(
            f"{odds.n} votes that are no ties on pairs with probabilities{ties}. A calibration needs at "
            f"least {FEWEST_VOTES}, and tells more from 200 on."
        )
    if odds.n_questions < 2:
        raise InputError(
            "all votes are on one question. A calibration needs others to be tried on: vote on more of them."
        )


def errors_of(odds: Odds, p_a: Floats) -> dict[str, Measure]:
    """Each of `ERRORS` of these probabilities."""
    rows = rows_with(odds, p_a)
    found = {"ece": ece(rows), "brier": brier(rows), "log_loss": log_loss(odds, p_a)}
    return {name: one for name, one in found.items() if one is not None}


def _band(odds: Odds, p_a: Floats, precision: float) -> Band:
    band = band_for(odds, p_a, precision)
    if band is None:
        raise InputError(
            f"--precision {precision:g}: however sure this judge is, fewer of its verdicts agree with these "
            "votes. Ask for less, or for more votes."
        )
    return band


def _strict_right(beside: Beside, p_a: Floats, band: Band) -> Share:
    """The share right of the votes on which the strict outcome is left by a band: `judge.orders.ruled`."""
    is_left = band.answered & (beside.strict != 0) & (beside.strict == np.sign(p_a - 0.5))
    is_right = (beside.strict == 1) == beside.odds.is_a
    return Share(int((is_left & is_right).sum()), int(is_left.sum()))


def _hash_of(panel: Panel, verdicts: Sequence[Verdict]) -> str:
    """SHA-256 (hex) of what was fitted: pairs in order, both orders' log-odds, questions, all votes."""
    odds = {verdict.pair_id: log_odds_of_a(verdict) for verdict in verdicts}
    seen = [
        [id, odds[id], int(question)] for id, question in zip(panel.pair_ids, panel.question, strict=True)
    ]
    return sha256_of_json([seen, panel.voted_pair.tolist(), panel.voted.tolist()])


def _json(one: Estimate) -> dict[str, Any]:
    ends = {name: getattr(one, name) for name in ("value", "low", "high")}
    rounded = {name: None if end is None else round(end, DIGITS) for name, end in ends.items()}
    return {**rounded, "n": one.n}

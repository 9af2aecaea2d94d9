"""What a judge of one's own criteria learns: the policy and the recipe of the how-to page, for real.

    python -m benchmarks.policy --folder runs/policy --out benchmarks/results/policy-qwen2.5-coder-0.5b.json

The page's policy says that answers of a shop must name the price. The pairs are made here: in each, one
answer names the price of what was asked for and the other does not, whatever else they say. The teacher reads
160 of them by the criteria without being told which is which, and a student learns its verdicts. Then
teacher, student and the judge in the package read 100 pairs about other goods in other words. It takes an
hour on two cores and goes on where it stopped.
"""

from __future__ import annotations

import argparse
import random
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.constructed import cell, figures_of
from judge import Judge
from judge.drawing.steps import shared_steps
from judge.io.pairs import write_pairs
from judge.options import JudgeOptions, judge_options
from judge.progress import shown_progress
from judge.provenance import CHECKOUT, provenance, write_result
from judge.records import Outcome, Pair, Status, Verdict, sha256_of_json

SCHEMA = "four-token-judge/policy/1"
PAGE = CHECKOUT / "docs" / "how-to" / "judge-by-your-criteria.md"
POLICY, RECIPE, PAIRS = "policy.txt", "price-judge.yaml", "price-pairs.jsonl"
BLOCK = re.compile(r'^```\w+ title="([^"]+)"\n(.*?)^```$', re.MULTILINE | re.DOTALL)
N_TRAIN, N_TEST, SEED = 160, 100, 0


@dataclass(frozen=True, slots=True)
class Shop:
    """What pairs are made of. `{it}` is a thing, `{price}` its price, `{n}` another number."""

    things: tuple[str, ...]
    questions: tuple[str, ...]
    with_price: tuple[str, ...]
    without: tuple[str, ...]


TRAINED_ON = Shop(
    things=(
        *("a day ticket", "a bicycle lock", "a wool blanket", "the large suitcase", "a pair of hiking boots"),
        *("a tent for two", "a desk lamp", "an office chair", "the family card", "a set of knives"),
        *("a coffee grinder", "a garden hose", "a rain jacket", "the monthly pass", "a camping stove"),
        *("a phone case", "a kite", "a chess set", "a yoga mat", "the city tour"),
    ),
    questions=(
        "Do you have {it}?",
        "I would like {it}. What do I have to do?",
        "Can you tell me about {it}?",
        "Is it possible to order {it} by phone?",
        "How do I get {it} before the weekend?",
    ),
    with_price=(
        "Yes, {it} costs {price} euros.",
        "You get {it} for {price} euros. Order it on our page, and it is with you in {n} days.",
        "Gladly! The price is {price} euros. Just tell us your address.",
        "{price} euros. Call us between 9 and {n}, and we will put it aside.",
        "We have it. It is {price} euros, and you can pay at the counter.",
        "For {it} we ask {price} euros. Sending it takes {n} days; you may also come to the shop.",
    ),
    without=(
        "Yes, we have it.",
        "Gladly! Choose {it} on our page, tell us your address, and it is with you in {n} days.",
        "Of course. Call us between 9 and {n}, and we will put it aside for you with pleasure.",
        "We have it in {n} colours. Come to the shop and look at them, you are always welcome.",
        "That is one of our favourites! People love it, and so will you. Order it whenever you like.",
        "It depends on the season. Please ask again in {n} days.",
    ),
)

HELD_OUT = Shop(
    things=(
        *("a seat by the window", "a sleeping bag", "the museum pass", "a folding table", "a bread knife"),
        *("a pair of gloves", "a watering can", "the evening course", "a wall clock", "a hammock"),
        *("a teapot", "a backpack for children", "the boat trip", "a set of towels", "a bird feeder"),
    ),
    questions=(
        "Could I still buy {it}?",
        "My sister wants {it} for her birthday. Can you help?",
        "Where can I find {it}?",
        "What should I know before I take {it}?",
    ),
    with_price=(
        "Sure: {price} euros, and it is yours.",
        "With us {it} comes to {price} euros, with tax. Fill in the form, and we answer within {n} hours.",
        "It is on the second floor and sells at {price} euros.",
        "You pay {price} euros for {it}. Bring the receipt if you want to give it back.",
    ),
    without=(
        "Sure, it is yours.",
        "What a lovely idea! Fill in the form, and we answer within {n} hours with all that you need.",
        "It is on the second floor, in row {n}, beside the stairs. Our staff will show it to you.",
        "You pay at the end. Bring the receipt if you want to give it back; we take it back for {n} days.",
    ),
)


def pairs_of(shop: Shop, n: int, n_tries: int = 100 * N_TRAIN) -> list[Pair]:
    """So many different pairs, of which a is the answer that names the price.

    Raises:
        ValueError: no such number of different ones was found.
    """
    dice = random.Random(f"{SEED} {shop.questions[0]}")
    made: dict[str, Pair] = {}
    for _ in range(n_tries):
        named = {
            "it": dice.choice(shop.things),
            "price": f"{dice.randrange(3, 180)}.{dice.choice(('00', '50', '90'))}",
            "n": dice.randrange(2, 8),
        }
        texts = (
            dice.choice(kind).format(**named) for kind in (shop.questions, shop.with_price, shop.without)
        )
        pair = Pair.of(*texts, id=f"{len(made)}")
        made.setdefault(pair.content_hash, pair)
        if len(made) == n:
            return list(made.values())
    raise ValueError(f"{len(made)} different pairs, where {n} are wanted")


def prepare(folder: Path) -> None:
    """Writes the pairs to train on, every second one turned round, and the policy and recipe of the page."""
    folder.mkdir(parents=True, exist_ok=True)
    files = dict(BLOCK.findall(PAGE.read_text(encoding="utf-8")))
    for name in (POLICY, RECIPE):
        (folder / name).write_text(files[name], encoding="utf-8")
    pairs = pairs_of(TRAINED_ON, N_TRAIN)
    write_pairs(folder / PAIRS, [pair if n % 2 else turned(pair) for n, pair in enumerate(pairs)])


def turned(pair: Pair) -> Pair:
    return replace(pair, conversation_a=pair.conversation_b, conversation_b=pair.conversation_a)


def judges_of(folder: Path) -> dict[str, JudgeOptions]:
    """By name: the teacher of the page's recipe, its student, and judges that know nothing of the policy."""

    def by_policy(method: str) -> JudgeOptions:
        return judge_options(base_model="qwen2.5-coder-1.5b", method=method, criteria=folder / POLICY)

    adapter = str(folder / "run" / "adapter")
    return {
        "teacher: 1.5B checklist of the policy": by_policy("checklist"),
        "student: 0.5B score": judge_options(method="score", adapter=adapter),
        "0.5B score, base model": judge_options(method="score", adapter="none"),
        "0.5B score in the package": judge_options(method="score"),
        "1.5B BSM by the policy": by_policy("bsm"),
    }


def figures(pairs: Sequence[Pair], verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """What `benchmarks.constructed` counts, with inconsistent verdicts and tokens a pair.

    What several verdicts share, such as the grade of an answer, is counted once.
    """
    told = [*(reading for one in verdicts for reading in one.readings.values()), *shared_steps(verdicts)]
    return {
        **figures_of(pairs, verdicts, [Outcome.A] * len(pairs)),
        "inconsistent": sum(one.status is Status.INCONSISTENT for one in verdicts),
        "tokens_in": sum(one.tokens_in for one in told) / len(pairs),
        "tokens_out": sum(one.tokens_out for one in told) / len(pairs),
    }


def table_of(results: Sequence[Mapping[str, Any]]) -> str:
    """A row a judge."""
    [result] = results
    lines = ["| judge | in both orders | by mean | inconsistent | tokens read, written |", "| --- " * 5 + "|"]
    for judge in result["judges"]:
        one = judge["test"]
        lines.append(
            f"| {judge['name']} | {cell(one, 'strict')} | {cell(one, 'by_mean')} | {one['inconsistent']} "
            f"| {one['tokens_in']:,.0f}, {one['tokens_out']:.0f} |"
        )
    test, taught = result["judges"][0]["test"], result["taught"]
    lines += [
        f"| the longer answer wins | {test['longer_right']} | - | - | - |",
        "",
        f"How often the answer that names the price wins, of {test['n']} pairs that nobody trained on, "
        f"in percent with 95 % intervals (Wilson). Of the {taught['n']} pairs to train on the teacher "
        f"was right on {taught['by_mean']} by the mean of both orders, the longer answer on "
        f"{taught['longer_right']}. On {result['cpu']}.",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.policy", description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("runs/policy"), help="where the run is kept")
    parser.add_argument("--out", type=Path, help="write the result as JSON")
    given = parser.parse_args()
    folder = given.folder.resolve()
    prepare(folder)
    distil = [sys.executable, "-m", "judge", "distill", "all", "--config", RECIPE, "--folder", "run"]
    subprocess.run(distil, cwd=folder, check=True)
    taught, test = pairs_of(TRAINED_ON, N_TRAIN), pairs_of(HELD_OUT, N_TEST)
    judges: list[dict[str, Any]] = []
    with shown_progress() as progress:
        for name, options in judges_of(folder).items():
            with Judge.of(options, progress=progress, ledger=folder / "run" / "ledger.sqlite") as judge:
                one = {
                    "name": name,
                    "identity": asdict(judge.identity),
                    "test": figures(test, judge.judge(test)),
                }
                if not judges:  # the teacher, which has read them
                    known = figures(taught, judge.judge(taught))
                judges.append(one)
    write_result(
        given.out,
        {
            "schema": SCHEMA,
            **provenance(),
            "base_model": "qwen2.5-coder-0.5b",
            "base_model_hash": judges[1]["identity"]["base_model_hash"],
            "seed": SEED,
            "data": "pairs of an invented shop, made by benchmarks/policy.py",
            "data_hash": sha256_of_json([pair.content_hash for pair in (*taught, *test)]),
            "taught": known,
            "judges": judges,
        },
    )
    for one in judges:
        print(one["name"], one["test"])


if __name__ == "__main__":
    main()

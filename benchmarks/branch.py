"""How many plans of the branch step can be used: 50 real questions, three to five different criteria each.

`python -m benchmarks.branch --base-model qwen2.5-coder-1.5b --out FILE` asks for plans of questions of OASST1
(reconstructed), training prompts, and writes the share with the replies that failed. No test set is touched:
the prompt may be mended until the share is high.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from judge.backends import Settings, load_backend
from judge.datasets.dataset import data_folder
from judge.datasets.oasst import TRAINING_FILE
from judge.methods.bsm import BranchSolveMerge
from judge.progress import shown_progress
from judge.prompts import fingerprint_of
from judge.provenance import provenance, write_result
from judge.records import Message, Pair, Plan, Share, Step, Unparsed, sha256_of_json

FEWEST, MOST = 3, 5


@dataclass(frozen=True, slots=True)
class Asked:
    """A question and the plan it got."""

    question: str
    plan: Plan | Unparsed
    step: Step

    @property
    def n_criteria(self) -> int:
        return len(self.plan.criteria) if isinstance(self.plan, Plan) else 0

    @property
    def is_usable(self) -> bool:
        """Whether the plan has three to five distinct criteria."""
        return FEWEST <= self.n_criteria <= MOST


def questions_of(file: Path, n: int, seed: int) -> list[str]:
    """A seeded sample of the first messages of the file's conversations."""
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    questions = {row["text"] for row in rows if row["role"] == "prompter" and row["parent_id"] is None}
    return random.Random(seed).sample(sorted(questions), n)


def pair_about(question: str) -> Pair:
    """A pair with a question only: branch sees no answer."""
    asked, nothing = Message("user", question), Message("assistant", "")
    return Pair(question_hash(question)[:12], (asked, nothing), (asked, nothing))


def question_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def result_of(asked: Sequence[Asked]) -> dict[str, Any]:
    """Counts, tokens, and every failure with its question's hash: the questions stay where they are."""
    counts = Counter(one.n_criteria for one in asked)
    return {
        "n_questions": len(asked),
        "n_usable": sum(one.is_usable for one in asked),
        "by_number_of_criteria": {str(n): counts[n] for n in sorted(counts)},
        "mean_tokens_in": sum(one.step.tokens_in for one in asked) / len(asked),
        "mean_tokens_out": sum(one.step.tokens_out for one in asked) / len(asked),
        "failures": [
            {
                "question_sha256": question_hash(one.question),
                "n_criteria": one.n_criteria,
                "reply": one.step.raw,
            }
            for one in asked
            if not one.is_usable
        ],
    }


def table_of(results: Sequence[dict[str, Any]]) -> str:
    """The results of several base models as Markdown."""
    lines = ["| base model | usable plans | tokens in | tokens out |", "| --- | --- | --- | --- |"]
    for one in results:
        share = Share(one["n_usable"], one["n_questions"])
        tokens = f"{one['mean_tokens_in']:.0f} | {one['mean_tokens_out']:.0f}"
        lines.append(f"| {one['base_model']} | {share} | {tokens} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure how many branch replies are usable plans.")
    parser.add_argument("--base-model", default="qwen2.5-coder-0.5b")
    parser.add_argument("--questions", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--out", type=Path, help="write the result as JSON")
    arguments = parser.parse_args()
    folder = data_folder(arguments.data_dir)
    if folder is None:
        parser.error("--data-dir or JUDGE_DATA must name the folder of the data sets")
    questions = questions_of(folder / TRAINING_FILE, arguments.questions, arguments.seed)
    pairs = [pair_about(question) for question in questions]
    backend = load_backend("embedded", Settings(arguments.base_model))
    method = BranchSolveMerge(backend)
    with shown_progress() as progress:
        method.prepare(pairs, progress)
    branches = method.branch(pairs)
    asked = [Asked(question, *branch) for question, branch in zip(questions, branches, strict=True)]
    result = {
        "schema": "four-token-judge/branch/1",
        **provenance(),
        "base_model": backend.engine.base_model,
        "base_model_hash": backend.engine.base_model_hash,
        "backend": backend.engine.backend,
        "dtype": backend.engine.dtype,
        "prompt_hash": fingerprint_of("bsm_branch"),
        "data": "OASST1 (reconstructed), training prompts",
        "data_hash": sha256_of_json([question_hash(question) for question in questions]),
        "seed": arguments.seed,
        **result_of(asked),
    }
    print(f"{result['n_usable']} of {result['n_questions']} plans have {FEWEST} to {MOST} different criteria")
    write_result(arguments.out, result)


if __name__ == "__main__":
    main()

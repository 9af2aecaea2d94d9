"""What a vLLM backend answers, for tests whose own environment has no vLLM: JSON in, JSON out.

Standard input is a list of engines, each {"settings": {...}, "asks": [...]}; an ask is {"do": "choose",
"prompts", "choices"} or {"do": "complete", "prompts", "sampling"}. An ask's answer is {"replies",
"tokens_computed", "elapsed_s"}, or {"error"} where a JudgeError was raised.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict
from typing import Any

from judge.backends import Backend, Sampling, Settings
from judge.backends.vllm_engine import VllmBackend
from judge.errors import JudgeError
from judge.records import Prompt, Span


def main() -> None:
    engines = json.load(sys.stdin)
    answers = []
    for engine in engines:
        backend = VllmBackend(Settings(**engine["settings"]))
        backend.load()  # so that elapsed_s is the time of answering
        answers.append([answer(backend, ask) for ask in engine["asks"]])
    json.dump(answers, sys.stdout)


def answer(backend: Backend, ask: dict[str, Any]) -> dict[str, Any]:
    prompts = [prompt_of(fields) for fields in ask["prompts"]]
    before, started = backend.tokens_computed, time.perf_counter()
    try:
        if ask["do"] == "choose":
            replies = [asdict(one) for one in backend.choose(prompts, ask["choices"])]
        else:
            replies = [asdict(one) for one in backend.complete(prompts, Sampling(**ask["sampling"]))]
    except JudgeError as error:
        return {"error": f"{type(error).__name__}: {error}"}
    return {
        "replies": replies,
        "tokens_computed": backend.tokens_computed - before,
        "elapsed_s": round(time.perf_counter() - started, 2),
    }


def prompt_of(fields: dict[str, Any]) -> Prompt:
    messages = tuple((role, tuple(Span(**span) for span in spans)) for role, spans in fields["messages"])
    return Prompt(**{**fields, "messages": messages})


if __name__ == "__main__":
    main()

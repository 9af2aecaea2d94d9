"""What a server has taught by refusing it: what a request goes without, or has instead."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

Message = dict[str, str]

TOP_LOGPROBS = 20  # the most that OpenAI's protocol allows
FEW_LOGPROBS = 5  # the most of several servers, tried where a server refuses 20 and does not say its own most
LEAST_TOP_LOGPROBS = 2  # of one alternative nothing can be told
LEAST_LIMIT = 256  # tokens; a smaller number in a refusal is not the longest reply that a server allows

NAMES = {
    "temperature": r"temperature",
    "seed": r"seed",
    "logprobs": r"(?:sample )?log_?probs?",
    "top_logprobs": r"top_?(?:log_?probs?|n_?tokens)",  # the second of text-generation-inference
    "max_tokens": r"max_?tokens",
    "max_completion_tokens": r"max_?completion_?tokens",
}
NAMED = {name: re.compile(rf"(?<![\w]){pattern}(?![\w])", re.IGNORECASE) for name, pattern in NAMES.items()}
"""How refusals name the parameters that we send, some of them in camel case."""

NO_SYSTEM = re.compile(
    r"system\W{1,3}(?:role|message|prompt|instruction)|developer instruction|role\w*\b.{0,60}\bsystem\b"
    r"|only user(?:,| and) |roles must alternate|system\W{1,3}(?:is|are)? ?(?:not|un)",
    re.IGNORECASE,
)
"""How servers, and the chat templates in them, say that a model takes no system message."""

WANTS_MORE = re.compile(r"output limit was reached|try again with (?:a )?higher max", re.IGNORECASE)
"""How a server says that a reply was cut off, where it refuses to show one that was."""

NUMBER = re.compile(r"(?<![\w.\-])\d+(?![\w\-]|\.\d)")
SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Habits:
    """What the requests to one server go without, and what they have instead. By default: nothing at all.

    Args:
        left_out: parameters that are not sent, and "system" where that text goes into the user's message.
        top_logprobs: how many alternatives are asked for at each token.
        limit_name: what the length of a reply is called.
        most_tokens: of a reply that the server allows; 0 where it named no limit.
        has_alternatives: False where log-probabilities come without alternatives, so that they tell nothing.
    """

    left_out: frozenset[str] = frozenset()
    top_logprobs: int = TOP_LOGPROBS
    limit_name: str = "max_tokens"
    most_tokens: int = 0
    has_alternatives: bool = True

    @property
    def names(self) -> tuple[str, ...]:
        """What a fingerprint says of them, in alphabetical order; empty for a server that refuses nothing."""
        said = [f"no-{name}".replace("_", "-") for name in self.left_out - {"top_logprobs"}]
        if self.limit_name not in self.left_out | {"max_tokens"}:
            said.append(self.limit_name.replace("_", "-"))
        said += [f"max-tokens-{self.most_tokens}"] if self.most_tokens else []
        said += [] if self.has_alternatives else ["no-alternatives"]
        if self.top_logprobs != TOP_LOGPROBS and self.gives_probabilities:
            said.append(f"top-logprobs-{self.top_logprobs}")
        return tuple(sorted(said))

    @property
    def gives_probabilities(self) -> bool:
        """Whether it is worth asking for log-probabilities."""
        return self.has_alternatives and "logprobs" not in self.left_out

    def applied(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """The request as this server takes it; `asked` is one to a server that refuses nothing."""
        body = {name: value for name, value in asked.items() if name not in self.left_out}
        if SYSTEM in self.left_out:
            body["messages"] = without_system(body["messages"])
        if "top_logprobs" in body:
            body["top_logprobs"] = self.top_logprobs
        limit = body.pop("max_tokens", None)
        if limit is not None and self.limit_name not in self.left_out:
            body[self.limit_name] = min(limit, self.most_tokens or limit)
        return body

    def after(self, said: str, parameter: str, sent: Mapping[str, Any]) -> Habits:
        """These habits and what a refusal teaches; the same ones where it names nothing that was sent.

        Args:
            said: the refusal in the server's words.
            parameter: the one that it blames, "" where it does not say so in a place of its own.
            sent: the request that was refused.
        """
        if parameter not in NAMED:
            blamed = [name for name in NAMED if name in sent and NAMED[name].search(said)]
        else:
            blamed = [parameter] if parameter in sent else []
        numbers = [int(number) for number in NUMBER.findall(said)]
        habits = self
        for name in blamed:
            if name in ("max_tokens", "max_completion_tokens"):
                habits = habits._with_another_limit(name, sent[name], numbers)
            elif name in ("temperature", "seed"):
                habits = replace(habits, left_out=habits.left_out | {name})
        if alternatives := [name for name in blamed if name.endswith("logprobs")]:
            habits = habits._with_fewer_logprobs(alternatives, numbers)
        has_system = any(message["role"] == SYSTEM for message in sent["messages"])
        if has_system and not blamed and NO_SYSTEM.search(said):
            habits = replace(habits, left_out=habits.left_out | {SYSTEM})
        return habits

    def joined(self, other: Habits) -> Habits:
        """These habits and what another request was refused meanwhile."""
        return replace(
            self,
            left_out=self.left_out | other.left_out,
            top_logprobs=min(self.top_logprobs, other.top_logprobs),
            limit_name=other.limit_name if self.limit_name == "max_tokens" else self.limit_name,
            most_tokens=min(filter(None, (self.most_tokens, other.most_tokens)), default=0),
        )

    def _with_fewer_logprobs(self, blamed: Sequence[str], numbers: Sequence[int]) -> Habits:
        """Fewer alternatives where the server names a number or blames that one alone, else none."""
        fewer = [number for number in numbers if LEAST_TOP_LOGPROBS <= number < self.top_logprobs]
        if not fewer and blamed == ["top_logprobs"] and self.top_logprobs > FEW_LOGPROBS:
            fewer = [FEW_LOGPROBS]
        if fewer:
            return replace(self, top_logprobs=max(fewer))
        return replace(self, left_out=self.left_out | {"logprobs", "top_logprobs"})

    def _with_another_limit(self, name: str, limit: int, numbers: Sequence[int]) -> Habits:
        """A smaller limit where the server names one, else another name for it, else none."""
        smaller = [number for number in numbers if LEAST_LIMIT <= number < limit]
        if smaller:
            return replace(self, most_tokens=max(smaller))
        if name == "max_tokens":
            return replace(self, limit_name="max_completion_tokens")
        return replace(self, left_out=self.left_out | {name})


def without_system(messages: Sequence[Message]) -> list[Message]:
    """The messages with the system's text before that of the user's first one."""
    system = [message["content"] for message in messages if message["role"] == SYSTEM]
    others = [dict(message) for message in messages if message["role"] != SYSTEM]
    first = next((one for one in others if one["role"] == "user"), None)
    if first is None:
        return [{"role": "user", "content": "\n\n".join(system)}, *others]
    first["content"] = "\n\n".join([*system, first["content"]])
    return others


def backend_name(way: str, names: Sequence[str]) -> str:
    """What an engine calls the way that its server is asked in: "server-chat:no-seed,no-temperature"."""
    return f"{way}:{','.join(names)}" if names else way


def names_in(fingerprint: str) -> tuple[str, ...]:
    """What a judge's fingerprint says of its server's habits; empty where it refuses nothing."""
    backend = fingerprint.rpartition("#")[0].rpartition("@")[2]
    said = (part.partition(":")[2] for part in backend.split(";"))
    return tuple(dict.fromkeys(name for names in said for name in names.split(",") if name))


def in_words(names: Sequence[str]) -> str:
    """What a fingerprint says of a server's habits, in words."""
    left_out = [name.removeprefix("no-") for name in names if name.startswith("no-")]
    said = [WORDS[name] for name in left_out if name in WORDS]
    refused = [name.replace("-", "_") for name in left_out if name not in WORDS]
    if refused:
        said.insert(0, f"asked without {', '.join(refused)}, which it refuses")
    for name in names:
        if name == "max-completion-tokens":
            said.append("max_completion_tokens for max_tokens")
        elif not name.startswith("no-"):
            what, _, most = name.rpartition("-")
            said.append(f"at most {most} {what.replace('-', '_')}")
    return "; ".join(said)


WORDS = {
    "system": "system text in the user's message",
    "alternatives": "no log-probabilities, of which it gives no alternatives",
}

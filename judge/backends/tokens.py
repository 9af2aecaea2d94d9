"""A prompt -> the token ids of one base model, in which no text of a pair can ever be markup.

Every span is tokenised by itself: the chat template's own words by the model's tokenizer, which knows its
special tokens, and all other text by a copy of it that knows none. A response therefore changes the ids of
its own span and of nothing else, and two prompts that begin with the same spans begin with the same ids.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

from judge.errors import ModelError, PromptTooLong
from judge.records import RESPONSES, Cut, Prompt, Span, Unparsed

T = TypeVar("T")

TRIM_MARK = "\n[... the middle of this answer is left out ...]\n"
SLOT = re.compile(r"\x00(\d+)\x00")
Messages = tuple[tuple[str, tuple[Span, ...]], ...]


@dataclass(frozen=True, slots=True)
class Encoded:
    """A prompt as token ids: `ids` holds everything up to the choice, the words put into the mouth included.

    `n_prompt` of them come before the reply. `cut` is None where the whole prompt fitted.
    """

    ids: tuple[int, ...]
    n_prompt: int
    cut: Cut | None = None

    @property
    def is_trimmed(self) -> bool:
        return self.cut is not None


class PromptEncoder:
    """Encodes prompts for one base model. Holds no changing state, so any number of threads may use it.

    Args:
        tokenizer: a transformers tokenizer with a chat template, backed by the `tokenizers` library. Nobody
            else may change its settings afterwards.
        max_prompt_tokens: longest prompt, reply not counted.
        overflow: "trim" shortens the two responses alike, "error" refuses.
        limit_name: what the limit is called where it is set.

    Raises:
        ModelError: there is no chat template, or plain text can turn into one of the model's special tokens.
    """

    def __init__(
        self,
        tokenizer: Any,
        max_prompt_tokens: int,
        overflow: str,
        limit_name: str = "--max-prompt-tokens",
    ) -> None:
        from tokenizers import Tokenizer

        self.max_prompt_tokens = max_prompt_tokens
        self.limit_name = limit_name
        self.overflow = overflow
        self._chat = tokenizer
        self._markup = tokenizer.backend_tokenizer
        self._markup.no_truncation()
        self._markup.no_padding()
        added = self._markup.get_added_tokens_decoder()
        self.added_tokens: dict[str, int] = {token.content: id for id, token in added.items()}
        self._plain = Tokenizer(self._markup.model)  # the same model and rules, without the added tokens
        if self._markup.normalizer is not None:
            self._plain.normalizer = self._markup.normalizer
        if self._markup.pre_tokenizer is not None:
            self._plain.pre_tokenizer = self._markup.pre_tokenizer
        self._template_ids = lru_cache(maxsize=16)(self._encode_template)
        self._instruction_ids = lru_cache(maxsize=256)(self.plain_ids)
        self._refuse_unsafe_tokenizer()
        self._has_system_role = self._accepts_system_role()

    def encode(self, prompts: Sequence[Prompt]) -> list[Encoded]:
        """The prompts' ids, shortened where they must be.

        Raises:
            PromptTooLong: names every prompt that does not fit.
        """
        fitted = [self._encode_one(prompt) for prompt in prompts]
        problems = [
            f"{prompt.name or 'a prompt'}: {one}"
            for prompt, one in zip(prompts, fitted, strict=True)
            if isinstance(one, str)
        ]
        if problems:
            raise PromptTooLong(problems)
        return [one for one in fitted if isinstance(one, Encoded)]

    def fit(self, prompts: Sequence[Prompt], is_strict: bool = False) -> list[Encoded | Unparsed]:
        """The prompts' ids, shortened where they must be; Unparsed in the place of one that does not fit.

        Raises:
            PromptTooLong: with `is_strict`, as `encode` does.
        """
        if is_strict:
            return list(self.encode(prompts))
        fitted = [self._encode_one(prompt) for prompt in prompts]
        return [too_long(one) if isinstance(one, str) else one for one in fitted]

    def choice_ids(self, choices: Sequence[str], reply_start: str) -> list[int]:
        """The one token of each choice as it follows `reply_start`.

        Raises:
            ModelError: a choice is not exactly one token, or two of them are the same.
        """
        start = self.plain_ids(reply_start)
        ids = [self.plain_ids(choice) for choice in choices]
        whole = [self.plain_ids(reply_start + choice) for choice in choices]
        if any(len(one) != 1 or start + one != joined for one, joined in zip(ids, whole, strict=True)):
            raise ModelError(
                f"the choices {', '.join(choices)} after {reply_start!r} are not one token each."
            )
        if len({one[0] for one in ids}) < len(ids):
            raise ModelError(f"the choices {', '.join(choices)} are not different tokens.")
        return [one[0] for one in ids]

    def n_reply_tokens(self, prompt: Prompt, choice: str) -> int:
        """Tokens of the whole reply: the words before the choice, the choice, those after it, end of turn."""
        return len(self.plain_ids(prompt.reply_start + choice + prompt.reply_end)) + 1

    def plain_ids(self, text: str) -> list[int]:
        """Ids of text as plain characters, whatever markup it spells."""
        ids: list[int] = self._plain.encode(text, add_special_tokens=False).ids
        return ids

    def _encode_one(self, prompt: Prompt) -> Encoded | str:
        pieces = self._pieces(prompt)
        reply = self.plain_ids(prompt.reply_start)
        n_whole = sum(len(ids) for _, ids in pieces)
        if n_whole > self.max_prompt_tokens:
            shortened = self._shortened(pieces) if self.overflow == "trim" else None
            if shortened is None:
                return self._refusal(n_whole, any(kind in RESPONSES for kind, _ in pieces))
            pieces = shortened
        ids = tuple(token for _, piece in pieces for token in piece)
        return Encoded((*ids, *reply), len(ids), Cut(len(ids), n_whole) if len(ids) < n_whole else None)

    def _pieces(self, prompt: Prompt) -> list[tuple[str, list[int]]]:
        """(kind, ids) of each span in order; the chat template's words stand between the messages."""
        messages = prompt.messages if self._has_system_role else without_system_role(prompt.messages)
        roles = tuple(role for role, _ in messages)
        template = self._template_ids(roles)
        pieces: list[tuple[str, list[int]]] = [("template", template[0])]
        for (_, spans), following in zip(messages, template[1:], strict=True):
            pieces += [(span.kind, self._span_ids(span)) for span in spans]
            pieces.append(("template", following))
        return pieces

    def _span_ids(self, span: Span) -> list[int]:
        return self._instruction_ids(span.text) if span.kind == "instruction" else self.plain_ids(span.text)

    def _encode_template(self, roles: tuple[str, ...]) -> list[list[int]]:
        """Ids of the chat template's words before, between and after messages of these roles."""
        messages = [{"role": role, "content": f"\x00{i}\x00"} for i, role in enumerate(roles)]
        text = self._chat.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        pieces = SLOT.split(text)  # words, a message's number, words, ...
        if pieces[1::2] != [str(i) for i in range(len(roles))]:
            raise ModelError(
                "the base model's chat template does not show every message exactly once, in order."
            )
        return [self._markup.encode(words, add_special_tokens=False).ids for words in pieces[::2]]

    def _accepts_system_role(self) -> bool:
        from jinja2.exceptions import TemplateError

        try:
            self._template_ids(("system", "user"))
        except (TemplateError, ModelError):
            self._template_ids(("user",))  # raises where even that does not work
            return False
        return True

    def _shortened(self, pieces: list[tuple[str, list[int]]]) -> list[tuple[str, list[int]]] | None:
        """The pieces with both responses cut to one common length, or None where nothing would be left."""
        mark = self.plain_ids(TRIM_MARK)
        lengths = [len(ids) for kind, ids in pieces if kind in RESPONSES]
        room = self.max_prompt_tokens - sum(len(ids) for kind, ids in pieces if kind not in RESPONSES)
        limit = common_limit(lengths, room)
        if limit <= len(mark):
            return None
        return [(kind, _middle_out(ids, limit, mark) if kind in RESPONSES else ids) for kind, ids in pieces]

    def _refusal(self, n_tokens: int, has_responses: bool) -> str:
        what = f"{n_tokens} tokens, the limit is {self.max_prompt_tokens}"
        if self.overflow == "error":
            return f"{what}. Raise {self.limit_name}, or shorten the responses with --overflow trim."
        if has_responses:
            what += " and the text around the responses alone leaves no room"
        return f"{what}. Raise {self.limit_name}."

    def _refuse_unsafe_tokenizer(self) -> None:
        if not getattr(self._chat, "chat_template", None):
            raise ModelError("the base model has no chat template; an instruction-tuned one has.")
        markup = set(self.added_tokens.values())
        unsafe = [text for text in self.added_tokens if markup & set(self.plain_ids(f"x{text}x"))]
        if unsafe:
            raise ModelError(
                f"the base model's tokenizer reads plain text as its markup: {', '.join(unsafe)}."
            )


def around(
    prompts: Sequence[Prompt],
    fitted: Sequence[Encoded | Unparsed],
    ask: Callable[[list[Prompt], list[Encoded]], Sequence[T]],
) -> list[T | Unparsed]:
    """What `ask` answers to the prompts that fit, each in its place, and Unparsed where one does not."""
    both = [(prompt, one) for prompt, one in zip(prompts, fitted, strict=True) if isinstance(one, Encoded)]
    answers = iter(ask([prompt for prompt, _ in both], [one for _, one in both]) if both else ())
    return [one if isinstance(one, Unparsed) else next(answers) for one in fitted]


def too_long(why: str) -> Unparsed:
    """What stands for the reply to a prompt that does not fit."""
    return Unparsed(f"the prompt is too long ({why.removesuffix('.')})", raw="")


def without_system_role(messages: Messages) -> Messages:
    """The same messages with the system's words at the head of the first user message."""
    system = [span for role, spans in messages if role == "system" for span in spans]
    (role, spans), *others = [message for message in messages if message[0] != "system"]
    return ((role, (*system, Span("\n\n"), *spans) if system else spans), *others)


def common_limit(lengths: Sequence[int], room: int) -> int:
    """The largest length to which all may be cut so that their sum fits into `room`.

    One limit for both responses treats them alike in either order, and a short response stays whole.
    """
    remaining, n_left = room, len(lengths)
    for length in sorted(lengths):
        if length * n_left >= remaining:
            return remaining // n_left
        remaining -= length
        n_left -= 1
    return max(lengths, default=0)


def _middle_out(ids: list[int], limit: int, mark: list[int]) -> list[int]:
    if len(ids) <= limit:
        return ids
    kept = limit - len(mark)
    tail = kept // 2
    return [*ids[: kept - tail], *mark, *ids[len(ids) - tail :]]

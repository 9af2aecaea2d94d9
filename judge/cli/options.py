"""The options that name a judge, as options of a command: the same for every command that judges."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any, get_type_hints

import typer

from judge.errors import InputError
from judge.methods import AUTO, IN_WORDS, METHODS
from judge.models.sizes import KNOWN
from judge.options import LEAST, MOST, judge_options, kinds_of_options

METHOD_HELP = (
    f"{', '.join(METHODS.ours)}; in everyday words {IN_WORDS} and {AUTO} (fast, and slow where that is "
    "inconsistent or near even); or one that another package adds."
)

OPTIONS = {
    "method": typer.Option(help=METHOD_HELP),
    "ties": typer.Option("--ties", help="Let the judge call two answers equally good."),
    "samples": typer.Option(
        min=LEAST["samples"], help="Read each order so many times and vote; needs --temperature."
    ),
    "vote": typer.Option(
        help="majority; usc: the judge picks the most consistent sample; ranked: a sample counts 1 + the "
        "score that --ranker gives it; probability: it counts by how likely the model is to write it."
    ),
    "temperature": typer.Option(
        min=LEAST["temperature"], help="Of slow methods' free replies; 0 always takes the likeliest word."
    ),
    "max_new_tokens": typer.Option(
        min=LEAST["max_new_tokens"], help="Longest free reply; by default each method's own."
    ),
    "criteria": typer.Option(
        metavar="FILE",
        help="Judge by these criteria instead of a plan, by checklist (the default then), bsm or bsm-text. A "
        "file of text, one a line: name: description | weight 2 | 1 = what 1 means | 5 = what 5 means; only "
        "the name must be there.",
    ),
    "base_model": typer.Option(
        help="small or large; a name from `judge models list`, a hub id, a folder, or what a server calls "
        f"its model. {KNOWN}."
    ),
    "adapter": typer.Option(
        help="Folder of a LoRA adapter for the base model; none is the bare base model. By default score and "
        "direct judge with the distilled judges that come with this package, where there are some."
    ),
    "backend": typer.Option(
        help="embedded; vllm; server:URL of an OpenAI-compatible API; judge:URL of a `judge serve`, which "
        "has its own method and model (for URL also URL,URL,... or a file of them); or a judge without a "
        "model: scripted:first, scripted:second, scripted:longer, scripted:shorter, scripted:unreadable:3, "
        "scripted:replies:A,B; or NAME:ARGUMENT of one that another package adds."
    ),
    "overflow": typer.Option(help="Prompts over the limit: trim the middle of both answers alike, or error."),
    "max_prompt_tokens": typer.Option(min=LEAST["max_prompt_tokens"], help="Longest prompt."),
    "dtype": typer.Option(help="auto, bfloat16 or float32."),
    "device": typer.Option(help="auto, cpu or cuda."),
    "concurrency": typer.Option(
        min=LEAST["concurrency"], help="Requests that each address of a server gets at a time."
    ),
    "requests_per_minute": typer.Option(
        min=LEAST["requests_per_minute"],
        help="Requests that each address of a server gets a minute at most; 0 is no limit.",
    ),
    "strict": typer.Option(
        "--strict",
        help="Stop at the first prompt that is too long or that a server blocks, instead of leaving its "
        "pair unparsed.",
    ),
    "calibration": typer.Option(
        help="File of `judge calibrate`: P(A) and what is too close to call as people's votes say."
    ),
    "abstain_below": typer.Option(
        min=LEAST["abstain_below"],
        max=MOST["abstain_below"],
        help="A verdict whose likelier side has a smaller P is undecided; by default the calibration says.",
    ),
    "slow_above": typer.Option(
        min=LEAST["slow_above"],
        max=MOST["slow_above"],
        help="With --method auto and a dual adapter: the P(Plan) of its first word above which it works the "
        "verdict out first; 0 always does, 1 never.",
    ),
    "ranker": typer.Option(
        help="With --vote ranked: the folder of a ranker, which `judge distill ranker` makes."
    ),
}
"""How each option of `judge_options` appears on the command line."""

CRITERION = Annotated[
    list[str] | None,
    typer.Option(help='The same from the command line, for example "cites a source"; may be given again.'),
]


def takes_judge(command: Callable[..., None]) -> Callable[..., None]:
    """The command with the options of `judge_options` beside its own, handed to it as `judge`."""
    own = [p for name, p in inspect.signature(command).parameters.items() if name != "judge"]
    added: dict[str, inspect.Parameter] = {}
    for name, parameter in inspect.signature(judge_options).parameters.items():
        added[name] = parameter
        if name == "criteria":
            added["criterion"] = parameter.replace(name="criterion", default=None)
    hints = get_type_hints(command, include_extras=True)
    hints |= {name: Annotated[kind, OPTIONS[name]] for name, kind in kinds_of_options().items()}
    hints["criterion"] = CRITERION

    @wraps(command)
    def with_judge(**given: Any) -> None:
        chosen = {name: given.pop(name) for name in added}
        if lines := chosen.pop("criterion"):
            if chosen["criteria"]:
                raise InputError("--criteria and --criterion: give one of the two.")
            chosen["criteria"] = lines
        command(**given, judge=judge_options(**chosen))

    parameters = [p.replace(annotation=hints[p.name]) for p in (*own, *added.values())]
    with_judge.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    with_judge.__annotations__ = {p.name: p.annotation for p in parameters}
    return with_judge

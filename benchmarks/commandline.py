"""Every verb of the command `judge` as Markdown, for the reference page of the command line."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

from judge.options import judge_options

SHARED = "Options that name a judge"
SHARED_ANCHOR = "#options-that-name-a-judge"
SHARED_NAMES = frozenset(inspect.signature(judge_options).parameters) | {"criterion"}


def reference() -> str:
    """A section for each verb, in alphabetical order, and one for the options that many of them share."""
    verbs = sorted(verbs_of(command(), ("judge",)), key=lambda found: found[0])
    sharing = [verb for _, verb in verbs if shares_options(verb)]
    sections = [section_of(name, verb) for name, verb in verbs]
    shared = [p for p in sharing[0].params if p.name in SHARED_NAMES]
    return "\n\n".join([*sections, f"## {SHARED}", table_of(shared)])


def command() -> Any:
    """The whole command line, with the verbs of `distill`, `bench` and `app`."""
    from typer.main import get_command

    from judge.cli.main import app

    return get_command(app)


def verbs_of(node: Any, path: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    """Each command that does something, by its whole name: ("judge models list", command)."""
    if not hasattr(node, "list_commands"):
        yield " ".join(path), node
        return
    for name in node.list_commands(None):
        yield from verbs_of(node.get_command(None, name), (*path, name))


def shares_options(verb: Any) -> bool:
    return {p.name for p in verb.params} >= SHARED_NAMES


def section_of(name: str, verb: Any) -> str:
    """What the verb does, how it is called, its own options, its examples."""
    own = [p for p in verb.params if not (shares_options(verb) and p.name in SHARED_NAMES)]
    arguments = " ".join(argument_of(p) for p in own if p.param_type_name == "argument")
    parts = [
        f"## {name}",
        one_line(verb.help),
        f"```text\n{name} {arguments} [OPTIONS]\n```".replace("  ", " "),
    ]
    if own:
        parts.append(table_of(own))
    if shares_options(verb):
        parts.append(f"It also takes the [options that name a judge]({SHARED_ANCHOR}).")
    if verb.epilog:
        parts.append(one_line(verb.epilog).replace("*", "\\*"))
    return "\n\n".join(parts)


def argument_of(parameter: Any) -> str:
    name = str(parameter.metavar or parameter.name).upper()
    name = f"{name}..." if parameter.nargs == -1 else name
    return name if parameter.required else f"[{name}]"


def table_of(parameters: list[Any]) -> str:
    """One row per parameter: how it is written, what it means, its default."""
    heads = ["| option | meaning | default |", "| --- | --- | --- |"]
    return "\n".join([*heads, *(row_of(p) for p in parameters if not p.hidden)])


def row_of(parameter: Any) -> str:
    is_argument = parameter.param_type_name == "argument"
    written = argument_of(parameter) if is_argument else ", ".join(option_names(parameter))
    if not is_argument and not parameter.is_flag:
        written += f" {value_of(parameter)}"
    cells = (f"`{written}`", one_line(parameter.help or ""), default_of(parameter))
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def option_names(parameter: Any) -> list[str]:
    return [*parameter.opts, *parameter.secondary_opts]


def value_of(parameter: Any) -> str:
    """What stands after the option's name: TEXT, NUMBER, or what the option itself calls it."""
    if parameter.metavar:
        return str(parameter.metavar)
    kind = getattr(parameter.type_descriptor, "annotation", str)
    return {"int": "N", "float": "X", "Path": "PATH"}.get(getattr(kind, "__name__", ""), "TEXT")


def default_of(parameter: Any) -> str:
    """The default as it would be typed; a dash if there is none."""
    if parameter.required:
        return "required"
    if isinstance(parameter.default, bool):
        return "on" if parameter.default else "-"
    return "-" if parameter.default in (None, "", ()) else f"`{parameter.default}`"


def one_line(text: str) -> str:
    return " ".join(text.split())

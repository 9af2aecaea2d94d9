"""What the service's OpenAPI description says of its requests and answers, and the page that shows it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from judge.io.verdicts import VERDICT_KEYS

ABOUT = (
    'A pairwise judge that several programs share. Errors are `{"error": "one line"}`: 401 without the '
    "token, 413 too long, 422 not to be read, 429 too much at a time and 503 still loading, both with "
    "Retry-After, 502 the judge's engine fails. A pair whose reply cannot be read has a verdict with status "
    "`unparsed`."
)
TEXT = {"type": "string"}
MESSAGES = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["role", "content"],
        "properties": {"role": {"enum": ["system", "user", "assistant"]}, "content": TEXT},
    },
}
PAIR = {
    "type": "object",
    "description": "A line of a file of pairs: prompt, response_a and response_b, or two conversations.",
    "properties": {
        **dict.fromkeys(("id", "prompt", "response_a", "response_b", "reference", "system"), TEXT),
        "conversation_a": MESSAGES,
        "conversation_b": MESSAGES,
    },
    "example": {"prompt": "2 + 2?", "response_a": "4", "response_b": "5"},
}
VERDICT = {
    "type": "object",
    "description": "A line of a file of verdicts.",
    "required": list(VERDICT_KEYS),
    "properties": {
        "pair_id": TEXT,
        "status": {"enum": ["consistent", "inconsistent", "unparsed"]},
        "outcome": {"enum": ["A", "B", "TIE", None]},
        "p_a": {"type": ["number", "null"]},
        "outcome_by_mean": {"enum": ["A", "B", "TIE", None]},
        "orders": {"type": "object", "properties": {"AB": {"type": "object"}, "BA": {"type": "object"}}},
        "judge": TEXT,
    },
}
ANSWERS = {
    "type": "object",
    "required": ["answers"],
    "properties": {
        "answers": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["instruction", "output", "generator"],
                "properties": dict.fromkeys(("instruction", "output", "generator", "category"), TEXT),
            },
        },
        "budget": {"type": ["integer", "null"], "minimum": 1, "description": "Judge so many at most."},
        "within": {"type": ["string", "null"], "description": "Ask nothing new after this time: 90s, 30m."},
        "seed": {"type": ["integer", "null"], "minimum": 0},
    },
}


def operation(answer: dict[str, Any], request: dict[str, Any] | None = None) -> dict[str, Any]:
    """What is said of a path: its answer, and what it is asked."""
    said: dict[str, Any] = {
        "responses": {"200": {"description": "OK", "content": {"application/json": {"schema": answer}}}}
    }
    if request is not None:
        said["requestBody"] = {"required": True, "content": {"application/json": {"schema": request}}}
    return said


HEALTH = operation(
    {
        "type": "object",
        "properties": {"status": {"enum": ["ready"]}, "judge": TEXT, "identity": {"type": "object"}},
    }
)
COMPARE = operation(VERDICT, PAIR)
RANK = operation({"type": "object", "description": "What `judge rank --out` writes."}, ANSWERS)


PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{{ info.title }} {{ info.version }}</title>
<style>
body { font: 16px/1.5 sans-serif; max-width: 50rem; margin: 2rem auto; padding: 0 1rem; }
pre { overflow-x: auto; padding: 0.5rem; border: 1px solid #999; }
</style>
<h1>{{ info.title }} {{ info.version }}</h1>
<p>{{ info.description }}</p>
<p>For programs: <a href="openapi.json">openapi.json</a></p>
{% for one in operations %}
<h2><code>{{ one.method }} {{ one.path }}</code></h2>
<p>{{ one.summary }}.</p>
{% if one.request %}<h3>Request</h3><pre>{{ one.request }}</pre>{% endif %}
<h3>Answer</h3><pre>{{ one.answer }}</pre>
{% endfor %}
</html>
"""


def page_of(description: Mapping[str, Any]) -> str:
    """An OpenAPI description as one page of HTML, which loads nothing from elsewhere."""
    from jinja2 import Environment

    operations = [
        {
            "method": method.upper(),
            "path": path,
            "summary": said["summary"],
            "request": indented(said["requestBody"]) if "requestBody" in said else "",
            "answer": indented(said["responses"]["200"]),
        }
        for path, methods in description["paths"].items()
        for method, said in methods.items()
    ]
    template = Environment(autoescape=True).from_string(PAGE)
    return template.render(info=description["info"], operations=operations)


def indented(said: Mapping[str, Any]) -> str:
    """The schema in a part of the description."""
    return json.dumps(said["content"]["application/json"]["schema"], indent=2)

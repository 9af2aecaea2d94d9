"""What contributors read agrees with what there is."""

from __future__ import annotations

import re
from pathlib import Path

import yaml
from packaging.version import Version

from judge._version import __version__

CHECKOUT = Path(__file__).parents[1]


def text_of(name: str) -> str:
    return (CHECKOUT / name).read_text(encoding="utf-8")


def test_hooks_before_a_commit_run_what_make_check_runs():
    [recipe] = re.findall(r"^check:.*\n((?:\t.*\n)+)", text_of("Makefile"), re.MULTILINE)
    checks = [line.strip("\t@").replace("$(BIN)", ".venv/bin") for line in recipe.splitlines()]
    [local] = yaml.safe_load(text_of(".pre-commit-config.yaml"))["repos"]
    assert [hook["entry"] for hook in local["hooks"]] == checks
    assert all(hook["language"] == "system" and not hook["pass_filenames"] for hook in local["hooks"])


def test_every_make_target_that_contributors_are_told_of_is_there():
    targets = set(re.findall(r"^([a-z-]+):", text_of("Makefile"), re.MULTILINE))
    told = set(re.findall(r"\bmake ([a-z]+(?:-[a-z]+)*)\b", "\n".join(code_in(text_of("CONTRIBUTING.md")))))
    assert told - targets == set()
    assert {"check", "test", "test-fast", "test-long", "docs"} <= told


def test_every_page_that_contributors_are_sent_to_is_there():
    for name in ("CONTRIBUTING.md", "CHANGELOG.md"):
        links = re.findall(r"\]\((?!https?:)([^)#]+)\)", text_of(name))
        assert [link for link in links if not (CHECKOUT / link).exists()] == []


def test_the_changelog_has_the_newest_version_first_and_none_that_is_not_yet_there():
    versions = re.findall(r"^## \[(.+?)\]", text_of("CHANGELOG.md"), re.MULTILINE)
    assert versions[0] == "Unreleased" or versions[0] == __version__
    numbers = [Version(version) for version in versions if version != "Unreleased"]
    assert numbers == sorted(numbers, reverse=True)
    assert Version(__version__) >= numbers[0]


def code_in(text: str) -> list[str]:
    """What is set as code in a page."""
    return re.findall(r"```\n(.*?)```", text, re.DOTALL) + re.findall(r"`([^`\n]+)`", text)

"""--judge-update-baseline: approved answers beside the tests."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from plugin import WAYS, summary

from judge.errors import InputError
from judge.plugin.approved import Approved, is_same_text, read_approved, write_approved
from judge.plugin.judging import name_of_answer
from judge.plugin.order import block_of
from judge.plugin.testnames import id_of_test

pytestmark = pytest.mark.slow  # every test runs pytest

TEST = """
import pytest

@pytest.mark.parametrize("word", ["one", "two"])
def test_bot(judge, word):
    judge.assert_not_worse(f"Say {word}.", ANSWER)
    judge.assert_not_worse("Again.", ANSWER, key="again")

class TestMore:
    def test_bot(self, judge):
        judge.assert_preferred("More.", ANSWER)
"""
FILES = [
    "TestMore.test_bot.md",
    "test_bot[one].again.md",
    "test_bot[one].md",
    "test_bot[two].again.md",
    "test_bot[two].md",
]


def write(project, answer, text=TEST):
    project.write("tests/test_bot.py", text.replace("ANSWER", repr(answer)))


def files_of(project):
    return sorted((project.path / "tests/judge_baselines/test_bot").iterdir())


@WAYS
def test_answers_are_approved_by_command_and_compared_from_then_on(project):
    write(project, "an answer")
    result = project.run("--judge-update-baseline")
    result.assert_outcomes(passed=3)
    assert "approved 5 answers: tests/judge_baselines/test_bot/" in summary(result)
    assert [file.name for file in files_of(project)] == FILES
    assert (files_of(project)[2]).read_text("utf-8") == "> Say one.\n\nan answer\n"
    write(project, "a longer answer")
    project.run().assert_outcomes(passed=3)
    write(project, "no")
    result = project.run()
    result.assert_outcomes(failed=3)
    assert "[Approved answer]" in result.stdout.str()


def test_without_an_approved_answer_the_message_says_what_to_type(project):
    write(project, "an answer")
    result = project.run("-k", "two")
    result.assert_outcomes(failed=1, deselected=project.deselected(2))
    text = result.stdout.str()
    assert "no approved answer in tests/judge_baselines/test_bot/test_bot[two].md." in text
    assert 'pytest --judge-update-baseline "tests/test_bot.py::test_bot[two]"' in text


def test_an_answer_to_another_prompt_is_stale(project):
    write(project, "an answer")
    project.run("--judge-update-baseline")
    write(project, "an answer", TEST.replace("Say ", "Please say "))
    result = project.run()
    result.assert_outcomes(failed=3)  # the third is a tie, which is not preferred
    text = result.stdout.str()
    assert (
        "test_bot[one].md is to another prompt. To approve the new one: pytest --judge-update-baseline"
        in text
    )
    assert "[Its prompt]" in text
    assert "Please say one." in text


def test_approved_answers_that_git_checked_out_with_other_line_ends_still_count(project):
    write(project, "an answer\nof two lines", TEST.replace("Say ", "Please\\nsay "))
    project.run("--judge-update-baseline").assert_outcomes(passed=3)
    for file in files_of(project):
        file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    write(project, "a longer answer\nof two lines", TEST.replace("Say ", "Please\\nsay "))
    project.run().assert_outcomes(passed=3)


def test_only_the_tests_that_run_are_approved_anew(project):
    write(project, "an answer")
    project.run("--judge-update-baseline")
    before = {file.name: file.read_bytes() for file in files_of(project)}
    write(project, "another answer")
    project.run("--judge-update-baseline", "-k", "one")
    changed = [file.name for file in files_of(project) if file.read_bytes() != before[file.name]]
    assert changed == ["test_bot[one].again.md", "test_bot[one].md"]


LOOP = """
def test_bot(judge):
    for answer in ("first", "second", "third"):
        judge.assert_not_worse("Why?", answer, key="faq")
"""


def test_a_key_is_used_once_in_a_test_and_no_answer_is_written_over_another(project):
    write(project, "", LOOP)
    result = project.run("--judge-update-baseline")
    result.assert_outcomes(failed=1)
    complaint = "judge: key 'faq' is used twice in this test. Give each answer a key of its own."
    assert complaint in result.stdout.str()
    [file] = files_of(project)
    assert file.read_text("utf-8") == "> Why?\n\nfirst\n"
    project.run().assert_outcomes(failed=1)


@pytest.mark.parametrize("keys", [("2", ""), ("", "", "2")])
def test_a_key_that_is_the_number_of_another_answer_is_refused(keys):
    taken = {}
    for key in keys[:-1]:
        name_of_answer(taken, key)
    with pytest.raises(InputError, match="key '2' is also the number of an answer without a key in this"):
        name_of_answer(taken, keys[-1])


def test_answers_without_a_key_are_numbered_among_all_of_the_test():
    taken = {}
    names = [name_of_answer(taken, key) for key in ("", "2", "again", "", "1")]
    assert names == ["", "2", "again", "4", "1"]


def test_a_spoiled_file_fails_with_one_line(project):
    write(project, "an answer")
    project.run("--judge-update-baseline")
    (project.path / "tests/judge_baselines/test_bot/TestMore.test_bot.md").write_text("spoiled\n")
    result = project.run("-k", "TestMore")
    result.assert_outcomes(failed=1, deselected=project.deselected(2))
    assert "TestMore.test_bot.md: no approved answer. It must be a prompt" in result.stdout.str()


def test_an_answer_with_a_merge_conflict_in_it_is_no_answer(project):
    write(project, "an answer")
    project.run("--judge-update-baseline", "-k", "TestMore")
    [file] = files_of(project)
    file.write_text("> More.\n\n<<<<<<< HEAD\nours\n=======\ntheirs\n>>>>>>> topic\n")
    result = project.run("-k", "TestMore")
    result.assert_outcomes(failed=1, deselected=2)
    assert "TestMore.test_bot.md: has a merge conflict, <<<<<<< or >>>>>>>." in result.stdout.str()
    file.write_text("> More.\n\n<<<<<<< is what git writes,\n=======\nand so on\n")
    assert read_approved(file).response == "<<<<<<< is what git writes,\n=======\nand so on"


@pytest.mark.parametrize(
    "left",
    [
        "<<<<<<< HEAD\nours",
        "ours\n=======\ntheirs\n>>>>>>> topic",
        "ours\n>>>>>>> 1a2b3c4 (Say more)",
        "<<<<<<< HEAD\r\nours",
    ],
)
def test_what_is_left_of_a_merge_conflict_is_no_answer(tmp_path, left):
    file = tmp_path / "test_bot.md"
    file.write_bytes(f"> Why?\n\n{left}\n".encode())
    with pytest.raises(InputError, match="has a merge conflict"):
        read_approved(file)


@pytest.mark.parametrize(
    "ends", [("\r\n", "\n", "\n", "\n"), ("\n", "\n", "\r\n", "\n"), ("\r\n", "\r\n", "\n", "\r\n")]
)
def test_mixed_line_ends_are_no_matter(tmp_path, ends):
    file = tmp_path / "test_bot.md"
    lines = ("> Why?", "> So?", "", "It is.")
    file.write_bytes("".join(map("".join, zip(lines, ends, strict=True))).encode())
    found = read_approved(file)
    assert is_same_text(found.prompt, "Why?\nSo?")
    assert found.response.rstrip("\r") == "It is."


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        ("", "an empty answer cannot be approved"),
        (" \n\n", "an empty answer cannot be approved"),
        ("<<<<<<< a\n=======\n>>>>>>> b", "an answer with marks of a merge conflict cannot be approved"),
    ],
)
def test_what_would_not_be_read_again_is_not_approved(tmp_path, answer, complaint):
    file = tmp_path / "test_bot.md"
    with pytest.raises(InputError, match=f"test_bot.md: {complaint}. Name what it is compared with"):
        write_approved(file, Approved("Why?", answer))
    assert not file.exists()


def test_an_answer_with_line_ends_of_its_own_is_unchanged_when_git_made_them_others(project):
    write(project, "one\r\ntwo")
    project.run("--judge-update-baseline").assert_outcomes(passed=3)
    for file in files_of(project):
        file.write_bytes(file.read_bytes().replace(b"\r\n", b"\n"))
    result = project.run(judge="scripted:unreadable:1")  # a judge that was asked would say nothing
    result.assert_outcomes(passed=2, failed=1)  # preferred needs a win
    assert "5 comparisons: the new answer won 0, the approved one 0, 5 ties" in summary(result)


NESTED = """
import pytest

class TestA:
    class TestInner:
        @pytest.fixture(scope="class")
        def bot(self, judge):
            judge.assert_not_worse("Why?", "answer of A")
        def test_x(self, bot): pass

class TestB:
    class TestInner:
        @pytest.fixture(scope="class")
        def bot(self, judge):
            judge.assert_not_worse("Why?", "answer of B, and longer")
        def test_x(self, bot): pass
"""


@WAYS
def test_fixtures_of_nested_classes_of_one_name_have_an_approved_answer_each(project):
    write(project, "", NESTED)
    project.run("--judge-update-baseline").assert_outcomes(passed=2)
    found = sorted(file.read_text("utf-8") for file in files_of(project))
    assert found == ["> Why?\n\nanswer of A\n", "> Why?\n\nanswer of B, and longer\n"]
    project.run().assert_outcomes(passed=2)


OVERRIDING = """
import pytest

@pytest.fixture(scope="module")
def bot(bot, judge):
    judge.assert_not_worse("Why?", "the bot of the file"KEY)

def test_bot(bot): pass
"""


def test_a_fixture_that_overrides_one_of_its_name_does_not_write_over_its_answer(project):
    project.write(
        "tests/conftest.py",
        OVERRIDING.replace("bot(bot, judge)", "bot(judge)").replace("file", "conftest").replace("KEY", ""),
    )
    write(project, "", OVERRIDING.replace("KEY", ""))
    result = project.run("--judge-update-baseline")
    result.assert_outcomes(errors=1)
    assert (
        "the file of two approved answers, of fixture bot in conftest.py, for tests/test_bot.py and of "
        "fixture bot in test_bot.py, for tests/test_bot.py. Give one of them a key" in result.stdout.str()
    )
    [file] = files_of(project)
    assert file.read_text("utf-8") == "> Why?\n\nthe bot of the conftest\n"
    write(project, "", OVERRIDING.replace("KEY", ', key="own"'))
    project.run("--judge-update-baseline").assert_outcomes(passed=1)
    assert len(files_of(project)) == 2


def test_the_text_of_an_approved_answer_is_never_run(project):
    answer = "Try this:\\n\\n>>> import pathlib; pathlib.Path('EXECUTED').touch()\\n"
    write(project, "", f'def test_bot(judge):\n    judge.compare("How?", "{answer}")\n')
    project.run("--judge-update-baseline").assert_outcomes(passed=1)
    project.run("--doctest-glob=*.md").assert_outcomes(passed=1)
    assert len(files_of(project)) == 1
    assert not (project.path / "EXECUTED").exists()


def test_answers_of_names_that_differ_in_case_alone_are_told(project):
    body = '    judge.compare("Why?", f"answer {word}")\n'
    mark = 'import pytest\n\n@pytest.mark.parametrize("word", ["Yes", "yes"])\n'
    write(project, "", f"{mark}def test_bot(judge, word):\n{body}")
    result = project.run("--judge-update-baseline")
    result.assert_outcomes(passed=1, failed=1)
    assert "(names that differ in case alone are one to macOS and Windows)" in result.stdout.str()


def test_a_folder_that_is_gone_is_no_reason_to_fail(project):
    body = """
import os, shutil, tempfile

def test_leaves(judge):
    folder = tempfile.mkdtemp()
    os.chdir(folder)
    shutil.rmtree(folder)
    judge.compare("Why?", "an answer")
"""
    write(project, "", body)
    project.run("--judge-update-baseline").assert_outcomes(passed=1)
    assert len(files_of(project)) == 1


AT_ITS_END = """
import pytest

@pytest.fixture(scope="module")
def bot(judge):
    judge.assert_not_worse("Hello?", "hello")
    yield
    judge.assert_not_worse("Bye?", "bye")

def test_first(bot): pass
def test_second(bot): pass
"""


def test_what_a_fixture_of_many_tests_compares_at_its_end_belongs_to_no_test(project):
    write(project, "", AT_ITS_END)
    project.run("--judge-update-baseline").assert_outcomes(passed=2)
    assert [file.name.partition("-")[0] for file in files_of(project)] == ["fixture_bot", "fixture_bot.2"]
    for only in ("first", "second"):
        project.run("-k", only).assert_outcomes(passed=1, deselected=1)


def test_equal_answers_are_a_tie_or_inconsistent_and_never_worse(project):
    write(project, "an answer")
    project.run("--judge-update-baseline")
    project.run(judge="scripted:first").assert_outcomes(passed=2, failed=1)  # preferred needs a win


def test_the_option_cannot_be_set_for_good(project):
    project.write("pytest.ini", "[pytest]\njudge_update_baseline = true\n")
    write(project, "an answer")
    project.run("--strict-config").stderr.fnmatch_lines(["*judge_update_baseline*"])


GROUPED = """
import pytest

@pytest.mark.xdist_group("bot")
@pytest.mark.parametrize("word", ["one", "two"])
def test_bot(judge, word):
    judge.compare(f"Say {word}.", "an answer")
"""


@pytest.mark.parametrize("workers", [2])
def test_answers_of_tests_in_a_group_of_pytest_xdist_are_called_as_without_it(project):
    write(project, "", GROUPED)
    project.run("--dist=loadgroup", "--judge-update-baseline").assert_outcomes(passed=2)
    assert [file.name for file in files_of(project)] == ["test_bot[one].md", "test_bot[two].md"]
    project.workers = 0
    project.run().assert_outcomes(passed=2)


def item_of(name, *groups):
    """A test as a worker of pytest-xdist that goes by groups has it, with pytest 8."""
    marks = [group.mark for group in groups]
    return SimpleNamespace(nodeid=name, iter_markers=lambda kind: marks if kind == "xdist_group" else [])


@pytest.mark.parametrize(
    ("called", "groups", "name"),
    [
        ("test_x.py::test_a@bot", ["bot"], "test_x.py::test_a"),
        ("test_x.py::test_a[me@bot]@bot", ["bot"], "test_x.py::test_a[me@bot]"),
        ("test_x.py::test_a[1]@bot_slow", ["slow", "bot", "bot"], "test_x.py::test_a[1]"),
        ("test_x.py::test_a[1]@7", [7], "test_x.py::test_a[1]"),
        ("test_x.py::test_a[1]", ["bot"], "test_x.py::test_a[1]"),
        ("test_x.py::test_a[1]@bot", [], "test_x.py::test_a[1]@bot"),
    ],
)
def test_a_group_of_pytest_xdist_is_no_part_of_a_tests_id(called, groups, name):
    item = item_of(called, *map(pytest.mark.xdist_group, groups))
    assert id_of_test(item) == name
    assert block_of(item) == name


@pytest.mark.parametrize("group", [pytest.mark.xdist_group, pytest.mark.xdist_group(name="default")])
def test_a_group_may_be_named_by_a_keyword_or_not_at_all(group):
    assert id_of_test(item_of("test_x.py::test_a@default", group)) == "test_x.py::test_a"

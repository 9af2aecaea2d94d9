"""`make test` runs its two parts and says what came of them; `make test-newest` finds an interpreter."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[1]
pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="needs make")

# Takes the place of pytest: writes its arguments into a file and ends with the status that its part is given.
PYTHON = """\
#!/bin/sh
echo "$@" >> asked.txt
case "$*" in *"-n 2"*) exit $LIGHT_ENDS;; *) exit $HEAVY_ENDS;; esac
"""


@pytest.fixture
def checkout(tmp_path):
    """A checkout that is set up, with programs that do nothing."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(CHECKOUT / name, tmp_path)
    for environment in (".venv", ".venv-newest"):
        program(tmp_path / environment / "bin" / "python", PYTHON)
        program(tmp_path / environment / "bin" / "judge", "#!/bin/sh\n")
        (tmp_path / environment / ".ready").touch()
    return tmp_path


def program(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)


def make(checkout, *arguments, light=0, heavy=0, **environment):
    leading = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "PYTEST_ARGS", "NEWEST_PYTHON", "SKIP_VLLM")
    kept = {name: value for name, value in os.environ.items() if name not in leading}
    return subprocess.run(
        ["make", *arguments],
        cwd=checkout,
        env=kept | {"LIGHT_ENDS": str(light), "HEAVY_ENDS": str(heavy)} | environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


def asked(checkout):
    path = checkout / "asked.txt"
    return path.read_text("utf-8").splitlines() if path.exists() else []


@pytest.mark.parametrize(
    ("light", "heavy", "said"),
    [
        (0, 0, None),
        (1, 0, "FAILED: light tests"),
        (0, 1, "FAILED: heavy tests"),
        (1, 2, "FAILED: light heavy tests"),
        (5, 0, None),
        (0, 5, None),
        (5, 1, "FAILED: heavy tests"),
        (5, 5, "No test was selected"),
    ],
)
def test_both_parts_run_whatever_the_first_one_gives_and_a_failure_of_either_is_one(
    checkout, light, heavy, said
):
    done = make(checkout, "test", "SKIP_VLLM=1", "PYTEST_ARGS=-k ledger", light=light, heavy=heavy)
    first, second = asked(checkout)
    assert all(line.endswith("-k ledger") for line in (first, second))
    assert (done.returncode == 0) is (said is None)
    assert said is None or said in done.stderr
    assert done.stdout.index("[1/2] Light tests") < done.stdout.index("[2/2] Tests with weights")


def test_every_test_that_needs_no_gpu_and_is_not_long_is_in_one_part_and_in_one_only(checkout):
    make(checkout, "test", "SKIP_VLLM=1")
    light, heavy = asked(checkout)
    assert "-m not (weights or vllm or browser or frameworks or gpu or long)" in light
    assert "-m (weights or vllm or browser) and not (vllm or gpu or long)" in heavy


def test_long_tests_are_run_by_a_target_of_their_own(checkout):
    assert make(checkout, "test-long").returncode == 0
    assert asked(checkout) == ["-m pytest -m long and not gpu"]


def test_without_a_newer_python_that_is_one_line_and_no_failure(checkout):
    done = make(checkout, "test-newest", "NEWEST_PYTHON=")
    assert (done.returncode, asked(checkout)) == (0, [])
    [line] = done.stdout.splitlines()
    assert line.startswith("No Python newer than 3.11 is here")


def test_the_newest_python_that_runs_is_taken_and_tries_the_quick_tests(checkout):
    names = {"python3.14": "exit 127", "python3.13": "exit 0", "python3.12": "exit 0"}
    for name, line in names.items():
        program(checkout / "bin" / name, f"#!/bin/sh\n{line}\n")
    path = f"{checkout / 'bin'}:{os.environ['PATH']}"
    done = make(checkout, "--dry-run", "test-newest", PATH=path, PYENV_ROOT=str(checkout))
    assert f'NEWEST_PYTHON="{checkout / "bin" / "python3.13"}"' in done.stdout
    assert "--hypothesis-profile quick" in done.stdout
    assert "not (weights or vllm or browser or frameworks or gpu or slow or long)" in done.stdout

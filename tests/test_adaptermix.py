"""An adapter between two: its weights, what its manifest says, and what is refused."""

from __future__ import annotations

import json
import re

import pytest
from models import VERDICT_MERGES, make_adapter, make_model
from typer.testing import CliRunner

from judge.cli.adaptermix import mix
from judge.cli.main import app
from judge.errors import InputError, JudgeError, ModelError
from judge.models.adapters import FILES, MANIFEST, read_adapter

torch = pytest.importorskip("torch")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return make_model(tmp_path_factory.mktemp("models") / "tiny", VERDICT_MERGES)


@pytest.fixture(scope="module")
def rounds(tiny, tmp_path_factory):
    """A third round and a fourth that went on from it."""
    folder = tmp_path_factory.mktemp("rounds")
    third = make_adapter(tiny, folder / "third")
    fourth = make_adapter(tiny, folder / "fourth", scale=1.0, start_from=named(third))
    return third, fourth


def named(folder):
    start = read_adapter(folder)
    return {"name": start.name, "hash": start.hash, "start_from": None}


def weights_of(folder):
    from safetensors.torch import load_file

    return load_file(folder / FILES[1])


@pytest.mark.parametrize("share", [0.5, 0.25])
def test_every_weight_lies_a_share_of_the_way_between(rounds, tmp_path, share):
    adapter = mix(*rounds, share, "mixed", tmp_path / "mixed")
    before, after, found = map(weights_of, (*rounds, adapter.folder))
    assert found.keys() == after.keys()
    for name, one in found.items():
        assert one.dtype == after[name].dtype
        torch.testing.assert_close(one, before[name] + share * (after[name] - before[name]))
    assert any(not one.equal(after[name]) for name, one in found.items())


def test_its_manifest_is_that_of_the_later_one_and_says_what_was_mixed(rounds, tmp_path):
    third, fourth = map(read_adapter, rounds)
    adapter = mix(*rounds, 0.5, "mixed", tmp_path / "mixed")
    assert adapter.name == "mixed"
    mixed = dict(adapter.manifest["mixed"])
    assert mixed["share"] == 0.5
    assert mixed["before"] == {"name": "third", "hash": third.hash}
    assert mixed["after"] == {"name": "fourth", "hash": fourth.hash}
    assert {"commit", "versions"} <= mixed.keys()
    kept = fourth.manifest.keys() - {"name", "files"}
    assert {key: adapter.manifest[key] for key in kept} == {key: fourth.manifest[key] for key in kept}
    assert adapter.hash not in (third.hash, fourth.hash)
    assert (adapter.folder / FILES[0]).read_bytes() == (fourth.folder / FILES[0]).read_bytes()


def test_one_from_two_rounds_before_can_be_mixed_too(tiny, rounds, tmp_path):
    third, fourth = rounds
    start = named(fourth) | {"start_from": named(third)}
    fifth = make_adapter(tiny, tmp_path / "fifth", scale=0.7, start_from=start)
    assert mix(third, fifth, 0.5, "mixed", tmp_path / "mixed").manifest["mixed"]["after"]["name"] == "fifth"


@pytest.mark.parametrize("share", [0, 1, -0.5, 1.5, float("nan")])
def test_a_share_that_mixes_nothing_is_refused(rounds, tmp_path, share):
    with pytest.raises(InputError, match=r"--share .*: must be between 0 and 1"):
        mix(*rounds, share, "mixed", tmp_path / "mixed")
    assert not (tmp_path / "mixed").exists()


def test_what_did_not_go_on_from_the_other_is_refused(rounds, tmp_path):
    third, fourth = rounds
    with pytest.raises(InputError, match="the training of third did not go on from fourth"):
        mix(fourth, third, 0.5, "mixed", tmp_path / "mixed")
    with pytest.raises(InputError, match="did not go on from fourth"):
        mix(fourth, fourth, 0.5, "mixed", tmp_path / "mixed")
    assert not (tmp_path / "mixed").exists()


def test_a_name_that_is_none_and_a_folder_that_is_there_are_refused(rounds, tmp_path):
    for name in ("two words", "..", "", "-x"):
        with pytest.raises(InputError, match=f"--name {re.escape(name)}: must be letters"):
            mix(*rounds, 0.5, name, tmp_path / "mixed")
    with pytest.raises(InputError, match="--name mixed-votes: -votes is for what learned people's votes"):
        mix(*rounds, 0.5, "mixed-votes", tmp_path / "mixed")
    (tmp_path / "mixed").mkdir()
    (tmp_path / "mixed" / "notes").write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match="mixed: is there already"):
        mix(*rounds, 0.5, "mixed", tmp_path / "mixed")
    assert [one.name for one in (tmp_path / "mixed").iterdir()] == ["notes"]


def test_what_learned_votes_keeps_it_in_its_name(tiny, rounds, tmp_path):
    third, _ = rounds
    votes = make_adapter(tiny, tmp_path / "mine-votes", targets="votes", start_from=named(third))
    with pytest.raises(InputError, match=r"learned people's votes\. Its name must end in -votes"):
        mix(third, votes, 0.5, "mixed", tmp_path / "mixed")
    mixed = mix(third, votes, 0.5, "mixed-votes", tmp_path / "mixed")
    assert mixed.manifest["targets"] == "votes"


def test_loras_of_other_shapes_are_refused(tiny, rounds, tmp_path):
    from safetensors.torch import save_file

    from judge.models.adapters import write_manifest

    third, fourth = rounds
    other = tmp_path / "other"
    other.mkdir()
    (other / FILES[0]).write_bytes((fourth / FILES[0]).read_bytes())
    weights = weights_of(fourth)
    weights.pop(next(iter(weights)))
    save_file(weights, other / FILES[1], {"format": "pt"})
    values = json.loads((fourth / MANIFEST).read_text("utf-8"))
    write_manifest(other, {key: one for key, one in values.items() if key not in ("schema", "files")})
    with pytest.raises(InputError, match="its LoRA has other shapes or layers"):
        mix(third, other, 0.5, "mixed", tmp_path / "mixed")
    assert not (tmp_path / "mixed").exists()


def test_weights_that_are_no_numbers_are_refused(tiny, rounds, tmp_path):
    third, _ = rounds
    broken = make_adapter(tiny, tmp_path / "broken", scale=float("inf"), start_from=named(third))
    with pytest.raises(ModelError, match=r"broken/adapter_model\.safetensors: .* holds what is no number"):
        mix(third, broken, 0.5, "mixed", tmp_path / "mixed")
    assert not (tmp_path / "mixed").exists()


def test_a_lora_of_another_scale_is_refused(tiny, rounds, tmp_path):
    third, _ = rounds
    other = make_adapter(tiny, tmp_path / "other", start_from=named(third), lora={"alpha": 800})
    with pytest.raises(InputError, match=r"other: its lora is not that of .*third"):
        mix(third, other, 0.5, "mixed", tmp_path / "mixed")


def test_a_home_folder_is_meant_by_its_sign(rounds, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert mix(*rounds, 0.5, "mixed", "~/mixed").folder == tmp_path / "mixed"


def test_what_is_no_adapter_is_refused(rounds, tmp_path):
    with pytest.raises(ModelError, match="no such folder"):
        mix(rounds[0], tmp_path / "gone", 0.5, "mixed", tmp_path / "mixed")


def test_the_command_line_mixes_and_shows_it(rounds, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        done = CliRunner().invoke(app, ["adapters", *map(str, arguments)], env={"COLUMNS": "100"})
        if isinstance(done.exception, JudgeError):
            return f"judge: {done.exception}"
        assert done.exit_code == 0, done.output
        return done.stdout

    said = run("mix", *rounds, "--share", "0.3", "--name", "mixed", "--out", "runs/mixed")
    assert said.splitlines()[1] == "Adapter: runs/mixed"
    shown = " ".join(run("show", "runs/mixed").split())
    assert "Mixed 0.3 of the way from third, hash " in shown
    assert run("mix", *rounds, "--name", "mixed", "--out", "runs/mixed").startswith(
        "judge: runs/mixed: is there"
    )

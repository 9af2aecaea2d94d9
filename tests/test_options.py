"""A judge written as one word on the command line."""

from __future__ import annotations

from dataclasses import replace

import pytest
from models import manifest_values

from distill.recipe import Teacher
from judge.backends import Settings, load_backend
from judge.errors import InputError
from judge.methods import LEARNED, METHODS, WAYS, MemoryStore, MethodSettings
from judge.models import adapters
from judge.options import JudgeOptions, judge_of_spec, judge_options
from judge.progress import silent

GIVEN = JudgeOptions(method="cot", settings=Settings(dtype="float32"))


def test_what_a_spec_does_not_say_is_as_given():
    name, judge = judge_of_spec("base-model=some/model", GIVEN)
    assert name == ""
    assert judge == JudgeOptions(method="cot", settings=Settings(base_model="some/model", dtype="float32"))


def test_a_spec_reaches_every_part_of_a_judge():
    of_method = "method=bsm,ties=yes,temperature=0.7,samples=3,max-new-tokens=50"
    name, judge = judge_of_spec(f"name=slow one,{of_method},adapter=a/b,device=cpu", GIVEN)
    assert name == "slow one"
    assert judge == JudgeOptions(
        method="bsm",
        samples=3,
        method_settings=MethodSettings(ties=True, temperature=0.7, max_new_tokens=50),
        settings=Settings(dtype="float32", adapter="a/b", device="cpu"),
    )


def test_a_spec_may_name_a_calibration_and_a_band():
    _, judge = judge_of_spec("calibration=mine.json,abstain-below=0.7", GIVEN)
    assert (judge.calibration, judge.abstain_below) == ("mine.json", 0.7)
    with pytest.raises(InputError, match=r"abstain-below is .low.\. It must be a number\."):
        judge_of_spec("abstain-below=low", GIVEN)


def test_a_spec_names_a_base_model_by_its_size_as_the_option_does():
    _, judge = judge_of_spec("base-model=large", GIVEN)
    assert judge.settings.base_model == judge_options(base_model="large").settings.base_model


@pytest.mark.parametrize("name", ["temperature", "abstain_below", "slow_above"])
def test_what_is_no_number_is_refused_in_python_too(name):
    with pytest.raises(InputError, match=f"{name} is nan. It must be a number."):
        judge_options(**{name: float("nan")})


def test_a_value_may_hold_commas_and_equals_signs():
    _, judge = judge_of_spec("backend=scripted:replies:A,B,method=direct", GIVEN)
    assert (judge.backend, judge.method) == ("scripted:replies:A,B", "direct")
    _, judge = judge_of_spec("backend=server:http://host/v1?key=1", GIVEN)
    assert judge.backend == "server:http://host/v1?key=1"


@pytest.mark.parametrize(
    ("spec", "complaint"),
    [
        ("bsm", "'bsm' is no option of a judge. Write name=value"),
        ("model=x", "the names are: name, method, ties"),
        ("method=bsm,method=cot", "method is there twice"),
        ("name=a,name=b", "name is there twice"),
        ("ties=maybe", "ties is 'maybe'. It must be yes or no."),
        ("samples=many", "samples is 'many'. It must be a number."),
        ("samples=0", "samples is 0. It must be at least 1."),
        ("samples=99999999999999999999999", "It must be at most 1000."),
        ("abstain-below=7", "abstain-below is 7.0. It must be at most 1."),
        ("abstain-below=nan", "abstain-below is nan. It must be a number."),
        ("temperature=-1", "temperature is -1.0. It must be at least 0."),
        ("temperature=inf", "temperature is inf. It must be at most 100."),
        ("max-prompt-tokens=1", "max-prompt-tokens is 1. It must be at least 64."),
        ("base-model=small,base_model=large", "'base_model=large' is no option of a judge."),
        ("progress=x", "no option of a judge"),
        ("overflow=burst", "--overflow burst"),
    ],
)
def test_a_spec_that_names_no_judge_says_what_is_right(spec, complaint):
    with pytest.raises(InputError, match=r".*") as caught:
        judge_of_spec(spec, GIVEN)
    assert complaint in str(caught.value)


# --- the distilled judge that comes with the package


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """A package with a distilled judge for one base model, and a folder without manifest for another."""
    monkeypatch.setattr(adapters, "SHIPPED", tmp_path)
    for name in ("small", "unfinished"):
        (tmp_path / name).mkdir()
    (tmp_path / "small" / "manifest.json").write_text("{}")
    return tmp_path


def adapter_of(**options):
    settings = {key: options.pop(key) for key in ("base_model", "adapter") if key in options}
    return JudgeOptions(settings=Settings(**settings), **options).adapter


@pytest.mark.parametrize("backend", ["embedded", "vllm"])
@pytest.mark.parametrize("method", ["direct", "fast"])
def test_the_fast_judge_has_the_adapter_shipped_for_its_base_model(shipped, backend, method):
    assert adapter_of(method=method, backend=backend, base_model="small") == str(shipped / "small")


@pytest.mark.parametrize(
    "method", [name for name in [*METHODS.ours, *WAYS] if name not in (*LEARNED, "fast")]
)
def test_slow_judges_have_no_adapter(shipped, method):
    assert adapter_of(method=method, base_model="small") == ""


@pytest.fixture
def both_shipped(shipped):
    """A package with a judge of single answers for that base model too."""
    (shipped / "small-score").mkdir()
    (shipped / "small-score" / "manifest.json").write_text("{}")
    return shipped


@pytest.mark.parametrize("backend", ["embedded", "vllm"])
def test_of_two_shipped_judges_fast_is_the_one_of_single_answers(both_shipped, backend):
    options = JudgeOptions(backend=backend, settings=Settings(base_model="small"))
    assert (options.asked_by, options.adapter) == ("score", str(both_shipped / "small-score"))
    direct = replace(options, method="direct")
    assert (direct.asked_by, direct.adapter) == ("direct", str(both_shipped / "small"))
    bare = replace(options, settings=Settings(base_model="small", adapter="none"))
    assert (bare.asked_by, bare.adapter) == ("direct", "")


@pytest.mark.parametrize("backend", ["server:http://host/v1", "scripted:longer"])
def test_fast_is_direct_where_adapters_are_not_loaded_here(both_shipped, backend):
    options = JudgeOptions(backend=backend, settings=Settings(base_model="small", adapter="known-there"))
    assert options.asked_by == "direct"
    assert replace(options, settings=Settings(base_model="small")).asked_by == "direct"


def test_fast_is_what_a_named_adapter_has_learned(tmp_path):
    for learned, letters in (("direct", "AB"), ("score", "123456789")):
        folder = tmp_path / learned
        folder.mkdir()
        for name in adapters.FILES:
            (folder / name).write_text("any", encoding="utf-8")
        values = manifest_values("qwen2.5-coder-0.5b")
        adapters.write_manifest(folder, values | {"templates": [learned], "letters": letters})
        options = JudgeOptions(settings=Settings(adapter=str(folder)))
        assert (options.asked_by, options.adapter) == (learned, str(folder))


@pytest.fixture
def learned(tmp_path):
    """Makes the folder of an adapter that has learned a method."""

    def made(method, letters="AB"):
        folder = tmp_path / method
        folder.mkdir()
        for name in adapters.FILES:
            (folder / name).write_text("any", encoding="utf-8")
        values = manifest_values("qwen2.5-coder-0.5b") | {"templates": [method], "letters": letters}
        adapters.write_manifest(folder, values)
        return Settings(adapter=str(folder))

    return made


def test_an_adapter_that_is_here_says_what_fast_is_behind_a_server_too(learned):
    server = JudgeOptions(backend="server:http://host/v1", settings=learned("score", "123456789"))
    assert (server.asked_by, server.is_dual) == ("score", False)
    dual = replace(server, settings=learned("dual"))
    ways = [replace(dual, method=way) for way in ("fast", "slow", "auto")]
    assert [one.asked_by for one in ways] == ["dual", "dual-slow", "dual-auto"]
    assert not any(one.is_two for one in ways)


def test_an_adapter_that_is_here_is_asked_behind_a_server_by_what_it_has_learned_alone(learned):
    def scripted(spec, settings):
        return load_backend("scripted:first")

    server = JudgeOptions(backend="server:http://host/v1", settings=learned("score", "123456789"))
    assert server.load(silent, MemoryStore(), scripted).identity.method == "score"
    with pytest.raises(InputError, match="--method direct: the adapter mine has learned score"):
        replace(server, method="direct").load(silent, MemoryStore(), scripted)
    ties = replace(server, settings=learned("direct"), method_settings=MethodSettings(ties=True))
    with pytest.raises(InputError, match="--ties: the adapter mine was trained to answer A or B only"):
        ties.load(silent, MemoryStore(), scripted)


@pytest.mark.parametrize("backend", ["server:http://host/v1", "scripted:longer"])
def test_a_backend_that_loads_no_weights_here_gets_no_shipped_adapter(shipped, backend):
    assert adapter_of(backend=backend, base_model="small") == ""


@pytest.mark.parametrize("base_model", ["other", "unfinished", "some/model", "..", ".", ""])
def test_a_base_model_without_a_shipped_adapter_judges_bare(shipped, base_model):
    (shipped.parent / "manifest.json").write_text("{}")
    (shipped / "manifest.json").write_text("{}")
    assert adapter_of(base_model=base_model) == ""


def test_a_base_model_that_is_a_folder_has_no_shipped_adapter_even_with_a_manifest(shipped):
    assert adapter_of(base_model=str(shipped / "small")) == ""


def test_a_named_adapter_goes_before_the_shipped_one_and_none_is_the_bare_base_model(shipped):
    assert adapter_of(base_model="small", adapter="mine") == "mine"
    assert adapter_of(base_model="small", adapter="none") == ""
    assert adapter_of(method="bsm", adapter="none") == ""


def test_a_teacher_is_the_bare_base_model(shipped):
    assert Teacher(base_model="small", method="direct").options().adapter == ""

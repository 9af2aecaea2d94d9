"""Recipes: what a file says, every mistake in one error, and what a stage depends on."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from distill.ensemble import SignalOptions
from distill.recipe import (
    Recipe,
    Teacher,
    changed,
    file_at,
    read_recipe,
    recipe_of,
    recipe_to_json,
    settings_hash,
)
from judge.errors import BadLines, InputError
from judge.models.adapters import SHIPPED, read_adapter
from judge.options import judge_options

RECIPES = Path(__file__).parents[1] / "recipes"
EVERY = sorted(RECIPES.glob("*.yaml"))
STAGES = ("collect", "select", "train")
VOTES_MODE = {"targets": "votes", "votes": "v.jsonl"}
OWN_PAIRS = {"source": "file", "path": "pairs.jsonl"}


def recipe_with(**changes):
    """A recipe of defaults, but for these; "__" stands for a dot."""
    values = {"name": "mine"}
    for key, value in changes.items():
        *blocks, name = key.split("__")
        block = values
        for one in blocks:
            block = block.setdefault(one, {})
        block[name] = value
    return recipe_of(values, "here")


def problems_of(**changes):
    with pytest.raises(BadLines) as raised:
        recipe_with(**changes)
    return list(raised.value.problems)


@pytest.fixture
def file(tmp_path):
    """Writes a recipe and says where."""

    def write(text):
        path = tmp_path / "r.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


# --- the recipes that ship -------------------------------------------------------------------------------


def test_there_are_recipes_for_two_sizes_for_the_judge_in_the_package_and_for_the_hub():
    rounds = [f"distilled-0.5b{number}" for number in ("-first", "-second", "")]
    others = [f"{kind}-{size}" for kind in ("embedded", "grade") for size in ("0.5b", "1.5b")]
    assert [path.stem for path in EVERY] == [
        *rounds,
        "dual-0.5b",
        "dual-large-0.5b",
        *others,
        "jury-0.5b",
        "ladder-0.5b",
        "ladder-1.5b",
        "large-0.5b",
        "mix-0.5b",
        "nat-0.5b",
        "nce-0.5b",
        "negative-0.5b",
        "oasst2",
        "plea-0.5b",
        "ranked-1.5b",
        "unlikelihood-0.5b",
    ]


@pytest.mark.parametrize("path", EVERY, ids=lambda path: path.stem)
def test_every_recipe_that_ships_can_be_read_and_is_called_like_its_file(path):
    recipe = read_recipe(path)
    assert recipe.name == path.stem
    taught = ("distilled-0.5b-first", "dual-0.5b", "dual-large-0.5b")
    taught += ("grade-0.5b", "ladder-0.5b", "large-0.5b", "plea-0.5b")
    larger = dict.fromkeys(taught, "qwen2.5-coder-1.5b")
    assert recipe.collect.teacher.options().settings.base_model == larger.get(path.stem, recipe.student)
    assert not recipe.collect.pairs.unchecked


@pytest.mark.parametrize("path", EVERY, ids=lambda path: path.stem)
def test_every_setting_of_a_recipe_that_ships_is_explained(path):
    above = ""
    for line in path.read_text(encoding="utf-8").splitlines():
        is_block = line.endswith(":")
        assert not line.strip() or "#" in line or above.lstrip().startswith("#") or is_block, line
        above = line


def made_by(name, manifest, **elsewhere):
    """Whether the recipe made what the manifest describes, on any device and with its parts elsewhere."""
    others = {f"{block}.device": "auto" for block in ("collect.teacher", "train")} | elsewhere
    made_with = recipe_of(changed(manifest["settings"], others), "manifest")
    return read_recipe(RECIPES / f"{name}.yaml") == made_with and manifest["name"] == made_with.adapter_name


def test_the_recipes_of_the_judges_of_single_answers_are_those_in_the_manifests_that_ship():
    small, large = (
        read_adapter(SHIPPED / f"qwen2.5-coder-{size}-score").manifest for size in ("0.5b", "1.5b")
    )
    assert made_by("ladder-1.5b", large)
    assert made_by("grade-1.5b", large["start_from"])
    mixed = small["mixed"]
    assert (mixed["share"], mixed["before"]["name"], mixed["after"]["name"]) == (
        0.5,
        "ladder-0.5b",
        "large-0.5b",
    )
    assert made_by("large-0.5b", small | {"name": mixed["after"]["name"]})
    third = small["start_from"]
    assert third["hash"] == mixed["before"]["hash"]
    assert made_by("ladder-0.5b", third)
    second = third["start_from"]
    assert made_by("plea-0.5b", second, **{"train.start_from": "runs/grade-0.5b/adapter"})
    assert made_by("grade-0.5b", second["start_from"])


@pytest.mark.parametrize("size", ["0.5b", "1.5b"])
def test_the_embedded_recipes_read_the_reconstructed_training_file(size, data_dir):
    source = read_recipe(RECIPES / f"embedded-{size}.yaml").collect.pairs
    assert file_at(source.path, data_dir) == data_dir / "oasst/train_messages_reconstructed.jsonl.gz"


def test_the_hub_recipe_names_no_file():
    source = read_recipe(RECIPES / "oasst2.yaml").collect.pairs
    assert (source.source, source.path, source.split) == ("oasst", "", "train")


# --- what is read ----------------------------------------------------------------------------------------


def test_a_recipe_needs_no_more_than_a_name(file):
    recipe = read_recipe(file("name: mine\n"))
    assert recipe == recipe_with()
    assert (recipe.collect.teacher.method, recipe.select.filter, recipe.train.targets) == (
        "bsm",
        "swap",
        "hard",
    )


def test_a_number_may_be_written_with_an_exponent_alone(file):
    assert yaml.safe_load("3e-4") == "3e-4"  # so YAML 1.1 would have it
    assert read_recipe(file("name: mine\ntrain: {learning_rate: 3e-4}")).train.learning_rate == 3e-4
    with pytest.raises(BadLines, match=r"learning_rate: Input should be a valid number \(found: '3e-4'\)"):
        read_recipe(file("name: mine\ntrain: {learning_rate: '3e-4'}"))


def test_numbers_that_are_read_as_they_are_written_are_fine(file):
    made = read_recipe(file("name: mine\nseed: 007\ncollect: {pairs: {limit: 1_000}}\ntrain: {rank: 0x10}"))
    assert (made.seed, made.collect.pairs.limit, made.train.rank) == (7, 1000, 16)
    made = read_recipe(file('name: mine\ncollect: {pairs: {source: file, path: "010"}}'))
    assert made.collect.pairs.path == "010"


def test_a_change_wins_over_the_file_and_makes_blocks_that_are_not_there(file):
    path = file("name: mine\ntrain: {rank: 4, alpha: 8}\n")
    recipe = read_recipe(path, {"collect.pairs.limit": 200, "train.rank": 2, "seed": 7})
    assert (recipe.collect.pairs.limit, recipe.train.rank, recipe.train.alpha, recipe.seed) == (200, 2, 8, 7)


def test_a_change_hides_no_mistake_of_the_file(file):
    with pytest.raises(BadLines, match="train: must be a block"):
        read_recipe(file("name: mine\ntrain: 5\n"), {"train.rank": 2})
    assert read_recipe(file("name: mine\ntrain:\n"), {"train.rank": 2}).train.rank == 2


def test_a_change_is_checked_like_the_file(file):
    with pytest.raises(BadLines) as raised:
        read_recipe(file("name: mine"), {"train.rank": 0, "train.rnak": 2})
    assert [problem.partition(": ")[2].partition(":")[0] for problem in raised.value.problems] == [
        "train.rank",
        "train.rnak",
    ]


def test_the_teacher_has_the_options_of_the_command_line_and_no_adapter_unless_one_is_named():
    options = inspect.signature(judge_options).parameters
    own = {"signals", "jury", "length", "recorded"}
    left_out = {"strict", "calibration", "abstain_below"}  # which change no reading
    left_out |= {"slow_above"}  # of a dual adapter, which chooses as it has learned to
    assert set(Teacher.model_fields) - own == set(options) - left_out
    differ = ("method", "adapter", *own)
    same = {name: field.default for name, field in Teacher.model_fields.items() if name not in differ}
    assert same == {name: options[name].default for name in same}
    given = {"method": "cot", "samples": 5, "temperature": 0.7, "base_model": "big", "concurrency": 3}
    assert Teacher(**given).options() == judge_options(**given, adapter="none")
    assert Teacher(**given, adapter="runs/mine").options() == judge_options(**given, adapter="runs/mine")


def test_a_teacher_of_signals_has_their_weights(file):
    path = file("name: mine\ncollect: {teacher: {signals: {yes: 0.5, direct: 1}, length: 0.25}}\n")
    options = read_recipe(path).collect.teacher.options()
    assert isinstance(options, SignalOptions)
    assert (options.signals, options.length) == ({"yes": 0.5, "direct": 1.0}, 0.25)  # yes is no truth here


def test_every_setting_has_one_line_that_describes_it():
    blocks: list[type[BaseModel]] = [Recipe]
    for block in blocks:
        for name, field in block.model_fields.items():
            text = field.description or ""
            assert text, f"{block.__name__}.{name}"
            assert "\n" not in text
            assert text.endswith("."), text
            if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
                blocks.append(field.annotation)
    assert len(blocks) == 6


# --- mistakes --------------------------------------------------------------------------------------------


def test_all_mistakes_are_reported_together_those_between_settings_too(file):
    path = file(
        "name: ../up\n"
        "seed: '1'\n"
        "collect:\n"
        "  pairs: {source: file, limit: 0}\n"
        "  teacher: {method: bsn, backend: onnx, adaptor: x}\n"
        "select: {filter: usc, margin: .nan}\n"
        "train: {rank: 0, targets: votes, lerning_rate: 1}\n"
    )
    with pytest.raises(BadLines) as raised:
        read_recipe(path)
    problems = raised.value.problems
    assert f"{path}: train.rank: Input should be greater than or equal to 1 (found: 0)" in problems
    assert {problem.removeprefix(f"{path}: ").partition(":")[0] for problem in problems} == {
        "name",
        "seed",
        "collect.pairs.limit",
        "collect.pairs.path",  # as source is file
        "collect.teacher.method",
        "collect.teacher.backend",
        "collect.teacher.adaptor",
        "select.margin",
        "select.filter",  # twice: it needs samples, and their vote
        "train.rank",
        "train.votes",  # as targets are votes
        "train.lerning_rate",
    }
    assert len(problems) == 13


def test_an_unknown_key_is_told_the_right_ones():
    (problem,) = problems_of(train__lerning_rate=1)
    assert problem.startswith("here: train.lerning_rate: no such key. Did you mean learning_rate? ")
    assert "The keys here are base_model, method, targets, sharpness, " in problem
    (problem,) = problems_of(trian={"rank": 1})
    assert problem.endswith("Did you mean train? The keys here are name, seed, collect, select, train.")


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"name": "a/b"}, "name: must be letters and digits, with . _ - between them, at most 64 characters"),
        ({"name": ".hidden"}, "name: must be letters and digits"),
        ({"name": "nul\0"}, "name: must be letters and digits"),
        ({"name": ""}, "name: must be letters and digits"),
        ({"train": 5}, "train: must be a block with the keys base_model, method, targets"),
        ({"train": None}, "train: must be a block with the keys"),
        (
            {"select__filter": "best"},
            "select.filter: Input should be 'swap', 'mean', ",
        ),
        ({"select__balance_length": "yes"}, "select.balance_length: Input should be a valid boolean ("),
        ({"collect__teacher__method": "bsn"}, "collect.teacher.method: must be one of direct, score, "),
        (
            {"collect__teacher__vote": "all"},
            "collect.teacher.vote: must be one of majority, usc, ranked, probability (found: ",
        ),
        ({"train__layers": 0}, "train.layers: Input should be greater than 0 (found: 0)"),
        ({"train__rank": True}, "train.rank: Input should be a valid integer (found: True)"),
        ({"train__symmetry": float("inf")}, "train.symmetry: Input should be a finite number (found: inf)"),
        ({"seed": 0.5}, "seed: Input should be a valid integer"),
        ({"seed": 2**63}, "seed: Input should be less than or equal to 9223372036854775807 (found: "),
        ({"seed": -1}, "seed: Input should be greater than or equal to 0 (found: -1)"),
        ({"train__contrast": 1e300}, "train.contrast: Input should be less than or equal to 100 (found: "),
        ({"train__constructed": {"nosuch": 1.0}}, "train.constructed.nosuch: must be one of other_request, "),
        (
            {"train__constructed": {"form": 101.0}},
            "train.constructed.form: Input should be less than or equal to 100 (found: 101.0)",
        ),
        (
            {"train__constructed": {"ladder": float("nan")}, "train__answers": "answers.jsonl.gz"},
            "train.constructed.ladder: Input should be a finite number (found: nan)",
        ),
        (
            {"collect__teacher__jury": {"one.gz": float("inf")}, "collect__teacher__length": 0.5},
            "collect.teacher.jury.one.gz: Input should be a finite number (found: inf)",
        ),
        (
            {"collect__teacher__jury": ["one.gz"], "collect__teacher__length": 0.5},
            "collect.teacher.jury: must be a block of shards, each with its weight (found: ['one.gz'])",
        ),
        (
            {"collect__teacher__jury": {"a\0b": 1.0}},
            r"collect.teacher.jury.'a\x00b': must be a path, which has no NUL byte (found: 'a",
        ),
        (
            {"train__start_from": "a\0b"},
            r"train.start_from: must be a path, which has no NUL byte (found: 'a\x00b')",
        ),
        ({"train__rank": 10**22}, "train.rank: Input should be less than or equal to 100000 (found: 1000"),
        (
            {"collect__teacher__signals": 3},
            "collect.teacher.signals: must be a block of signals, each with its weight (found: 3)",
        ),
        (
            {"train__constructed": "form"},
            "train.constructed: must be a block of kinds, each with its pairs for each kept pair (found: 'f",
        ),
        (
            {"collect__teacher__signals": {"yes": -1e7}},
            "collect.teacher.signals.yes: Input should be greater than or equal to -1000000 (found: -1",
        ),
        # between settings
        ({"collect__pairs__source": "file"}, "collect.pairs.path: source file needs the path of a pair file"),
        (
            {"collect__pairs__source": "hh_rlhf", "collect__pairs__hh_rlhf": 5},
            "collect.pairs.source: hh_rlhf is read below the folder that JUDGE_DATA names",
        ),
        (
            {"collect__pairs__path": "x.jsonl", "collect__pairs__split": "validation"},
            "collect.pairs.split: only the hub's OASST has splits",
        ),
        (
            {"collect__pairs__source": "hh_rlhf", "collect__pairs__split": "validation"},
            "collect.pairs.split: only the hub's OASST has splits",
        ),
        *(
            (
                {"train": VOTES_MODE, "collect__pairs": {**OWN_PAIRS, **more}},
                f"collect.pairs.{next(iter(more))}: votes are on the pairs of the file, from the first on",
            )
            for more in ({"skip": 3}, {"hh_rlhf": 5})
        ),
        ({"collect__teacher__samples": 3}, "collect.teacher.temperature: at 0 all samples are alike"),
        (
            {"collect__teacher__method": "fast", "collect__teacher__temperature": 0.7},
            "collect.teacher.method: its probabilities are exact",
        ),
        ({"select__filter": "majority"}, "select.filter: it chooses among samples"),
        (
            {"select__margin": 0.1, "collect__teacher__method": "cot"},
            "select.margin: this teacher gives no probabilities",
        ),
        (
            {"train__targets": "soft", "collect__teacher__method": "cot"},
            "train.targets: this teacher gives no probabilities",
        ),
        (
            {"select__filter": "mean", "collect__teacher__method": "rar"},
            "select.filter: this teacher gives no probabilities",
        ),
        *(
            (
                {"select__margin": 0.1, "collect__teacher": {"method": method, "adapter": "runs/dual"}},
                "select.margin: this teacher gives no probabilities",
            )
            for method in ("dual-slow", "dual-auto")
        ),
        (
            {"train__symmetry": 1.0, "train__method": "score"},
            "train.symmetry: a student that grades each answer alone has no orders to pull together",
        ),
        (
            {"train__targets": "votes", "collect__pairs": OWN_PAIRS},
            "train.votes: a file of votes and targets votes need each other",
        ),
        ({"train__votes": "v.jsonl"}, "train.votes: a file of votes and targets votes need each other"),
        ({"train__sharpness": 8.0}, "train.sharpness: only soft targets are made sharper: leave it at 1"),
        ({"train": VOTES_MODE}, "collect.pairs.source: votes name the pairs of a file by their ids: must be"),
        ({"train__start_from": "runs/a-votes/"}, "train.start_from: this adapter learned votes, which no "),
        (
            {"collect__teacher__adapter": "runs/mine"},
            "collect.teacher.adapter: an adapter belongs to direct, score, dual, dual-slow or dual-auto; ",
        ),
        (
            {"collect__teacher__method": "dual-slow"},
            "collect.teacher.adapter: only an adapter that has learned method dual knows what it is asked",
        ),
        (
            {"collect__teacher__adapter": "runs/a-votes", "collect__teacher__method": "fast"},
            "collect.teacher.adapter: this adapter learned votes,",
        ),
        ({"name": "mine-votes"}, "name: must not end in -votes, which is put behind the name where "),
        (
            {"name": "n" * 59, "train": VOTES_MODE, "collect__pairs": OWN_PAIRS},
            "name: must be at most 58 characters, as -votes is put behind the adapter's (found: name 'nnn",
        ),
    ],
)
def test_a_mistake_is_one_line_that_says_what_is_right(changes, problem):
    (found,) = problems_of(**changes)
    assert found.startswith(f"here: {problem}")
    assert "(found: " in found


def test_an_adapter_that_learns_votes_says_so_in_its_name_and_names_no_ties():
    assert recipe_with(name="n" * 64).adapter_name == "n" * 64
    distilled, voted = (
        recipe_with(collect__teacher__ties=True, collect__pairs=OWN_PAIRS, select__filter="none", train=train)
        for train in ({}, {**VOTES_MODE, "start_from": "runs/mine"})
    )
    assert (distilled.adapter_name, distilled.student_ties) == ("mine", True)
    assert (voted.adapter_name, voted.student_ties) == ("mine-votes", False)
    assert not recipe_with().student_ties
    longest = recipe_with(name="n" * 58, collect__pairs=OWN_PAIRS, train=VOTES_MODE)
    assert len(longest.adapter_name) == 64


@pytest.mark.parametrize("shown", [{"select__filter": "swap"}, {"train__targets": "soft"}])
def test_a_student_that_is_shown_no_ties_names_none(shown):
    assert not recipe_with(**{"collect__teacher__ties": True, "select__filter": "none", **shown}).student_ties


def test_votes_may_go_on_from_votes():
    train = {**VOTES_MODE, "start_from": "runs/mine-votes"}
    assert recipe_with(collect__pairs=OWN_PAIRS, train=train).adapter_name == "mine-votes"


def test_the_filter_needs_the_vote_of_its_name():
    votes = {"collect__teacher__samples": 5, "collect__teacher__temperature": 0.7}
    assert recipe_with(select__filter="majority", **votes).select.filter == "majority"
    assert recipe_with(select__filter="usc", collect__teacher__vote="usc", **votes)
    (problem,) = problems_of(select__filter="usc", **votes)
    assert "the teacher's vote must be the same" in problem


def test_a_fast_teacher_and_a_server_are_allowed():
    assert recipe_with(collect__teacher__method="direct").collect.teacher.options().method == "direct"
    assert recipe_with(collect__teacher__backend="server:http://here:8000/v1")


def test_an_adapter_that_learned_both_ways_may_teach():
    options = recipe_with(
        collect__teacher={"method": "dual-slow", "adapter": "runs/d"}
    ).collect.teacher.options()
    assert (options.method, options.settings.adapter) == ("dual-slow", "runs/d")
    assert recipe_with(collect__teacher={"method": "dual-slow", "backend": "server:http://here:8000/v1"})


@pytest.mark.parametrize(
    "other",
    [
        {"method": "cot"},
        {"ties": True},
        {"samples": 3, "temperature": 0.7},
        {"vote": "usc"},
        {"temperature": 0.5},
        {"max_new_tokens": 8},
    ],
)
def test_what_a_sum_of_signals_does_not_read_is_not_said_beside_it(other):
    problems = problems_of(collect__teacher={"signals": {"yes": 1.0}, **other}, select__filter="mean")
    assert [one.split(": ")[1] for one in problems] == [f"collect.teacher.{name}" for name in other]
    assert recipe_with(collect__teacher={"signals": {"yes": 1.0}, "method": "bsm"}, select__filter="mean")


def test_signals_of_which_none_is_named_are_no_teacher_but_a_manifest_spells_them_out():
    (problem,) = problems_of(collect__teacher={"signals": {}})
    assert problem.startswith(
        "here: collect.teacher.signals: names no signal, so the teacher would be no sum"
    )
    assert recipe_of(recipe_to_json(recipe_with()), "manifest") == recipe_with()


def test_a_majority_of_samples_has_probabilities_whatever_the_method():
    sampled = {"method": "cot", "samples": 5, "temperature": 0.7}
    assert recipe_with(collect__teacher=sampled, select__margin=0.2, train__targets="soft")


WEIGHED = {"method": "cot", "samples": 5, "temperature": 0.7, "vote": "ranked"}


def test_samples_of_a_teacher_may_be_weighed_by_a_ranker_or_by_how_likely_they_are():
    ranked = recipe_with(collect__teacher={**WEIGHED, "ranker": "runs/r/ranker"}, select__filter="mean")
    assert (ranked.collect.teacher.options().vote, ranked.collect.teacher.options().ranker) == (
        "ranked",
        "runs/r/ranker",
    )
    assert recipe_of(recipe_to_json(ranked), "manifest") == ranked
    assert recipe_with(collect__teacher={**WEIGHED, "vote": "probability"}, train__targets="soft")
    assert "ranker" not in recipe_to_json(recipe_with())["collect"]["teacher"]


@pytest.mark.parametrize(
    ("other", "problem"),
    [
        ({}, "vote: vote ranked and the folder of a ranker need each other"),
        ({"vote": "usc", "ranker": "r"}, "vote: vote ranked and the folder of a ranker need each other"),
        ({"ranker": "r", "samples": 1}, "vote: one sample has no vote: the teacher needs more than 1"),
        ({"vote": "usc", "samples": 1}, "vote: one sample has no vote: the teacher needs more than 1"),
        ({"vote": "usc", "samples": 24}, "samples: usc can tell 23 apart at most"),
        ({"vote": "probability", "method": "rar"}, "vote: it weighs samples of a method that writes how it"),
        (
            {"ranker": "r", "recorded": "s.jsonl"},
            "recorded: samples that count differently are weighed where",
        ),
        (
            {"ranker": "r", "backend": "scripted:longer"},
            "vote: a ranker reads traces in this process: takes ",
        ),
    ],
)
def test_what_weighs_samples_goes_with_several_of_them_that_say_how_they_came_about(other, problem):
    (found,) = problems_of(collect__teacher={**WEIGHED, **other})
    assert found.startswith(f"here: collect.teacher.{problem}")


def test_a_wrong_setting_hides_no_mistake_but_those_that_depend_on_it():
    assert len(problems_of(collect__teacher__samples="5", select__filter="majority")) == 1
    assert len(problems_of(collect__teacher=5, select__filter="majority", train__votes="v.jsonl")) == 2


def test_a_name_is_needed(file):
    with pytest.raises(BadLines, match=r"r\.yaml: name: missing\. What the run's folder"):
        read_recipe(file("seed: 1\n"))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "the file is empty. It must be the keys name, seed, collect, select, train."),
        ("- name: mine", "the file is a list. It must be the keys"),
        ("name: mine\nname: yours", "name is already in line 1. A key may be there only once."),
        ("name: mine\ntrain:\n  rank: 1\n  rank: 2", "rank is already in line 3."),
        ("name: mine\ntrain: {rank: 1, rank: 2}", "r.yaml:2: rank is already in line 2. A key may be there"),
        ("name: mine\ntrain: {&r rank: 1, *r : 2}", "r.yaml:2: rank is already in line 2."),
        (
            'name: mine\ncollect: {pairs: {path: "\\ud83d"}}',
            "r.yaml:2: \\ud83d stands alone and is only half",
        ),
        (
            "name: mine\ntrain:\n  epochs: 010",
            "r.yaml:3: 010 is read as 8, as YAML 1.1 has it. Write the number",
        ),
        ("name: mine\nseed: -0_12", "r.yaml:2: -0_12 is read as -10,"),
        ("name: mine\ncollect: {pairs: {limit: 1:30}}", "r.yaml:2: 1:30 is read as 90,"),
        ("name: mine\ntrain: {alpha: 1:30.5}", "r.yaml:2: 1:30.5 is read as 90.5,"),
        ("name: mine\ntrain: [", "not YAML ("),
        ("name: mine\n---\nname: yours", "not YAML (but found another document)"),
        ("name: \x07", "not YAML (unacceptable character"),
        ("&a [*a]", "not YAML ("),
        ("name: 2024-40-40", "not YAML ("),
    ],
)
def test_a_file_that_is_no_recipe_is_one_line(file, text, problem):
    with pytest.raises(BadLines) as raised:
        read_recipe(file(text))
    (found,) = raised.value.problems
    assert problem in found


def test_a_file_that_cannot_be_read_is_one_line(tmp_path):
    with pytest.raises(InputError, match=r"none\.yaml: No such file"):
        read_recipe(tmp_path / "none.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"name: caf\xe9")
    with pytest.raises(BadLines, match="byte 0xe9 is not UTF-8"):
        read_recipe(tmp_path / "latin.yaml")


# --- what a stage depends on -----------------------------------------------------------------------------


@pytest.mark.parametrize("path", EVERY, ids=lambda path: path.stem)
def test_a_recipe_as_plain_values_is_the_same_recipe(path):
    recipe = read_recipe(path)
    values = recipe_to_json(recipe)
    assert list(values) == ["name", "seed", "collect", "select", "train"]
    assert recipe_of(values, "manifest") == recipe


@pytest.mark.parametrize(
    ("changes", "changed_stages"),
    [
        ({"collect__pairs__limit": 7}, STAGES),
        ({"collect__teacher__method": "cot"}, STAGES),
        ({"seed": 7}, ("select", "train")),
        ({"select__margin": 0.5}, ("select", "train")),
        ({"train__rank": 7}, ("train",)),
        ({"name": "yours"}, ("train",)),
        ({"collect__teacher__concurrency": 2, "collect__teacher__requests_per_minute": 9}, ()),
    ],
)
def test_a_stage_is_stale_when_a_setting_of_it_or_of_one_before_it_changes(changes, changed_stages):
    before, after = recipe_with(), recipe_with(**changes)
    assert (
        tuple(stage for stage in STAGES if settings_hash(before, stage) != settings_hash(after, stage))
        == changed_stages
    )


@given(st.permutations(list(recipe_to_json(recipe_with())["train"].items())))
def test_the_order_of_the_keys_in_a_file_does_not_matter(items):
    assert settings_hash(recipe_with(train=dict(items)), "train") == settings_hash(recipe_with(), "train")


# --- where files are -------------------------------------------------------------------------------------


def test_a_path_may_begin_with_the_folder_of_local_copies(tmp_path, monkeypatch):
    monkeypatch.setenv("JUDGE_DATA", str(tmp_path))
    assert file_at("${JUDGE_DATA}/oasst/x.jsonl") == tmp_path / "oasst" / "x.jsonl"
    assert file_at("${JUDGE_DATA}/oasst/x.jsonl", Path("/given")) == Path("/given/oasst/x.jsonl")
    assert file_at("oasst/x.jsonl") == Path("oasst/x.jsonl")


def test_without_that_folder_the_one_beside_the_project_is_taken_or_the_variable_is_named(
    tmp_path, monkeypatch
):
    project = tmp_path / "project"
    project.mkdir()
    monkeypatch.chdir(project)
    monkeypatch.delenv("JUDGE_DATA", raising=False)
    with pytest.raises(InputError, match="JUDGE_DATA is not set"):
        file_at("${JUDGE_DATA}/x.jsonl")
    (tmp_path / "shared" / "data").mkdir(parents=True)
    assert file_at("${JUDGE_DATA}/x.jsonl") == Path("../shared/data/x.jsonl")

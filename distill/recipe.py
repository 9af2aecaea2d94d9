"""A recipe: every setting of one distillation run, as a YAML file that is checked whole before anything runs.

    name, seed
    collect:  pairs (which pairs), teacher (the slow judge that reads them)
    select:   which of its verdicts may teach
    train:    how the student learns them

`read_recipe` reports every mistake of a file in one error. The text below a setting is its description.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails, PydanticCustomError

from distill.ensemble import signal_options
from distill.jury import jury_options
from distill.kinds import OF_MAKERS, ConstructKind
from distill.recorded import recorded_options
from judge.backends import BACKENDS, DEFAULT_BASE_MODEL, DEVICES, DTYPES, OVERFLOWS
from judge.datasets.dataset import data_folder
from judge.errors import BadLines, InputError
from judge.io.criteria import criteria_in
from judge.io.files import at_home
from judge.io.rows import Wrong, shown
from judge.io.shapes import Shape, problems_of
from judge.io.yamlblock import read_block
from judge.methods import (
    BY_CRITERIA,
    BY_GIVEN,
    DUAL,
    LEARNED,
    METHODS,
    PLAIN_VOTES,
    RANKED,
    TRACED,
    VOTES,
    WAYS,
    WITHOUT_PROBABILITIES,
)
from judge.methods.voting import SAMPLE_LETTERS
from judge.models.separation import VOTES_DO_NOT_TEACH, VOTES_SUFFIX, learned_votes
from judge.options import LOCAL, JudgeOptions, judge_options
from judge.records import NO_ADAPTER, sha256_of_json

DATA = "${JUDGE_DATA}"
FOLDER_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,62}[A-Za-z0-9])?")
CHANGE_NOTHING = {"concurrency", "requests_per_minute", "recorded"}
SUM_TOLERANCE = 1e-6

T = TypeVar("T")
Stage = Literal["collect", "select", "train", "rank"]


def one_of(names: Collection[str]) -> AfterValidator:
    """Refuses any text that is not one of these names."""
    must = f"must be one of {', '.join(names)}"
    return AfterValidator(lambda value: held(value, value in names, must))


def held(value: T, is_right: bool, must: str) -> T:
    """The value, if it is valid."""
    if not is_right:
        raise PydanticCustomError("not_right", "{must}", {"must": must})
    return value


def block_of(what: str) -> BeforeValidator:
    """Refuses any value that is not a block of names with a number each."""
    must = f"must be a block of {what}"
    return BeforeValidator(lambda value: held(value, isinstance(value, Mapping), must))


def path_name(value: str) -> str:
    """The value, if a file may be called so."""
    return held(value, "\0" not in value, "must be a path, which has no NUL byte")


def backend_name(value: str) -> str:
    """The value, if it names a backend; what follows a colon is for the backend to check."""
    if value.partition(":")[0] in BACKENDS:
        return value
    return held(value, False, f"must be one of {', '.join(BACKENDS.names())}")


def method_name(value: str) -> str:
    """The value, if it names a method, everyday words included."""
    if value in WAYS or value in METHODS:
        return value
    return held(value, False, f"must be one of {', '.join([*METHODS.names(), *WAYS])}")


def criteria_value(value: Any) -> str | list[str]:
    """The name of a file as it is, or the lines of criteria that are written out."""
    if isinstance(value, str):
        return value
    try:
        return [criterion.line for criterion in criteria_in({"criteria": value})] or ""
    except Wrong as wrong:
        raise PydanticCustomError("not_right", "{must}", {"must": str(wrong)}) from None


def folder_name(value: str) -> str:
    """The value, if it is safe as the name of a folder."""
    must = "must be letters and digits, with . _ - between them, at most 64 characters"
    return held(value, FOLDER_NAME.fullmatch(value) is not None, must)


LEVELS = [0.4, 0.1, 0.1, 0.1, 0.3]
WRITES_WORKINGS = "bsm-text"
"""The method of a teacher whose readings are workings."""

BY_ROWS = ("reply", "unlikelihood", "nat", "nce")
"""Methods of `train` that learn the rows of a file."""

WHOLE_REPLIES = (*BY_ROWS, "dual")
OWN_METHODS = {
    "rows": BY_ROWS,
    "template": BY_ROWS,
    "levels": ("dual",),
    "working_weight": ("dual",),
    "workings": ("dual",),
    "negative": ("nat",),
    "nat": ("nce",),
}
"""Settings of `train` that only some methods read."""

PUBLISHED = {"rank": 8, "alpha": 16, "dropout": 0.05}
"""What nat and nce have of these where a recipe does not say: what their authors had (arXiv:2312.12832)."""

TOP_THIRD = 1 / 3

Module = Literal["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
Text = Annotated[str, Field(min_length=1)]
PathName = Annotated[str, AfterValidator(path_name)]
"""The path of a file or folder, or a name in its place."""
GivenPath = Annotated[Text, AfterValidator(path_name)]
Fraction = Annotated[float, Field(ge=0, lt=1)]
Portion = Annotated[float, Field(ge=0, le=1)]
Weight = Annotated[float, Field(ge=0)]
PerPair = Annotated[float, Field(ge=0, le=100)]
"""How many pairs are made for each kept one."""

Factor = Annotated[float, Field(ge=-1e6, le=1e6)]
"""A weight in log-odds, of either sign."""

Signals = Annotated[Mapping[str, Factor], block_of("signals, each with its weight")]
Jury = Annotated[Mapping[PathName, Factor], block_of("shards, each with its weight")]
Constructed = Annotated[
    Mapping[Annotated[str, one_of([*ConstructKind])], PerPair],
    block_of("kinds, each with its pairs for each kept pair"),
]
Seed = Annotated[int, Field(ge=0, le=2**63 - 1)]
Positive = Annotated[int, Field(ge=1, le=2**31 - 1)]
Few = Annotated[int, Field(ge=1, le=100_000)]
Length = Annotated[int, Field(ge=64)]
Dtype = Annotated[str, one_of(DTYPES)]
Device = Annotated[str, one_of(DEVICES)]


class Block(Shape):
    """A block of settings, each described by the text below it."""

    model_config = ConfigDict(use_attribute_docstrings=True)


class PairSource(Block):
    """Which pairs the teacher reads. They need no label, and labels they have are dropped."""

    source: Literal["oasst", "file", "hh_rlhf"] = "oasst"
    """oasst: every two first replies to a prompt; file: a file of pairs; hh_rlhf: its half for training."""
    path: PathName = ""
    """A pair file, or a file of OASST messages or trees; "" with oasst is the hub's OASST2."""
    split: Text = "train"
    """The hub's split; a file has none."""
    skip: Annotated[int, Field(ge=0)] = 0
    """Leave out this many pairs before the limit counts, so that a later round takes new ones."""
    limit: Positive | None = None
    """At most this many pairs; a smaller limit takes a part of what a larger one takes."""
    max_characters: Positive | None = None
    """Leave out pairs whose two conversations are longer together: they cost the most. null keeps all."""
    hh_rlhf: Annotated[int, Field(ge=0)] = 0
    """Beside them at most this many pairs of HH-RLHF's half for training, any turn, without their labels."""
    unchecked: bool = False
    """Go on where MT-bench, OASST validation or LLMBar cannot be read to keep them out; reports say so."""

    @property
    def named(self) -> str:
        """Where the pairs are from, in words."""
        return self.path or {"hh_rlhf": "HH-RLHF's half for training"}.get(self.source, "OASST2 of the hub")


class Teacher(Block):
    """The judge whose verdicts teach, under the names of the command line's options."""

    base_model: GivenPath = DEFAULT_BASE_MODEL
    """A name from `judge models list`, a hub id, a folder, or what a server calls its model."""
    adapter: GivenPath = NO_ADAPTER
    """Folder of an adapter for it: a student that teaches in a second round; none is the bare base model."""
    method: Annotated[str, AfterValidator(method_name)] = "bsm"
    """How it judges: a slow method, by criteria checklist; direct teaches what the base model says anyway."""
    backend: Annotated[str, AfterValidator(backend_name)] = "embedded"
    """Where it runs: embedded, vllm, server:URL, or scripted:CHARACTER for a trial without a model."""
    signals: Signals = Field(default_factory=dict)
    """Instead of a method: signals of the base model, each with its weight in the log-odds for a."""
    jury: Jury = Field(default_factory=dict)
    """Instead of a method: shards of judges' readings, each with the weight of its mean log-odds for a."""
    length: Factor = 0.0
    """With signals or a jury: the weight of the log of the lengths' ratio, a by b, which is taken away."""
    recorded: PathName = ""
    """A shard of `judge ledger export` with all of its readings: then it is not loaded, and reads nothing."""
    ties: bool = False
    """Whether it may call two answers equally good; the student may then, too, where it is shown ties."""
    samples: Positive = 1
    """How many times it reads each order and votes."""
    vote: Annotated[str, one_of(VOTES)] = "majority"
    """How samples vote: majority; usc: the most consistent one; ranked, probability: some count more."""
    ranker: PathName = ""
    """With vote ranked, the folder of a ranker of its base model, which `judge distill ranker` makes."""
    temperature: Weight = 0.0
    """Of its free replies; 0 always takes the likeliest word."""
    max_new_tokens: Positive | None = None
    """Longest free reply; null is each method's own."""
    criteria: Annotated[str | list[str], PlainValidator(criteria_value)] = ""
    """What it judges by instead of a plan, with checklist, bsm or bsm-text: a file of lines, or a list."""
    max_prompt_tokens: Length = 4096
    """Longest prompt."""
    overflow: Annotated[str, one_of(OVERFLOWS)] = "trim"
    """Prompts over the limit: trim the middle of both answers alike, or error."""
    dtype: Dtype = "auto"
    """auto, bfloat16 or float32."""
    device: Device = "auto"
    """auto, cpu or cuda."""
    concurrency: Positive = 16
    """Requests that a server gets at a time."""
    requests_per_minute: Annotated[int, Field(ge=0)] = 0
    """Requests that a server gets a minute at most; 0 is no limit."""

    @model_validator(mode="before")
    @classmethod
    def _by_given(cls, values: Any) -> Any:
        """Criteria are judged by as everywhere where no method is named."""
        if isinstance(values, dict) and values.get("criteria"):
            return {"method": BY_GIVEN} | values
        return values

    @property
    def is_sum(self) -> bool:
        """Whether it is no single judge, but a sum of signals or of judges."""
        return bool(self.signals or self.jury)

    @property
    def shards(self) -> list[Path]:
        """The files with the readings of a teacher that is not asked."""
        return [at_home(path) for path in (self.recorded, *self.jury) if path]

    def options(self) -> JudgeOptions:
        """The judge, as the command line would name it."""
        named = self.model_dump()
        signals, jury, length, shard = (named.pop(name) for name in ("signals", "jury", "length", "recorded"))
        if self.criteria and isinstance(self.criteria, str):
            named["criteria"] = at_home(self.criteria)
        options = judge_options(**named)
        if jury:
            return jury_options(options, {at_home(path): weight for path, weight in jury.items()}, length)
        options = signal_options(options, signals, length) if signals else options
        return recorded_options(options, at_home(shard)) if shard else options


class Collect(Block):
    """The first stage: the teacher reads pairs in both orders."""

    pairs: PairSource = PairSource()
    """Which pairs it reads."""
    teacher: Teacher = Teacher()
    """The judge that reads them."""


class Select(Block):
    """The second stage: which of the teacher's verdicts may teach."""

    filter: Literal["swap", "mean", "majority", "usc", "none"] = "swap"
    """swap: wins in both orders; mean: by the mean P(A); majority, usc: wins among the samples; none: all."""
    margin: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Least distance of the teacher's P(A) from one half, doubled: 0 keeps all, 1 only what is certain."""
    balance_length: bool = False
    """Keep as many pairs in which the shorter answer won as pairs in which the longer one did."""
    held_out: Fraction = 0.1
    """Share of the prompts that is not trained on, to see when to stop; with 0 nothing stops it early."""


class Train(Block):
    """The third stage: a LoRA adapter learns the verdicts' four tokens, or whole replies."""

    base_model: PathName = ""
    """The student's base model; "" is the teacher's."""
    method: Literal["direct", "score", "reply", "dual", "unlikelihood", "nat", "nce"] = "direct"
    """direct, dual: reads both answers, in both orders; score: grades each alone; others: learn rows."""
    targets: Literal["hard", "soft", "votes"] = "hard"
    """hard: the teacher's verdict, as in the paper; soft: its probability; votes: people's votes instead."""
    sharpness: Annotated[float, Field(gt=0)] = 1.0
    """With targets soft, the teacher's log-odds times this are learned; 1 leaves its probability as it is."""
    votes: PathName = ""
    """With targets votes, the file of votes on collect.pairs; select's filter and margin then do nothing."""
    start_from: PathName = ""
    """Folder of an adapter to go on from, in its shape; "" starts a new one. One of votes needs votes."""
    symmetry: Weight = 0.0
    """Weight of the term that pulls the two orders' probabilities of one answer together; 0 is off."""
    contrast: PerPair = 0.0
    """Pairs with an answer that is worse by construction, for each kept pair; 0 makes none."""
    constraints: PerPair = 0.0
    """Pairs of which the request asks for the form of one answer, for each kept pair; 0 makes none."""
    constructed: Constructed = Field(default_factory=dict)
    """Pairs better by construction, for each kept pair, by kind; see `distill.construct`."""
    answers: PathName = ""
    """With ladder or other_answer, the file of makers' answers that `judge distill answers` writes."""
    rows: PathName = ""
    """With reply, unlikelihood, nat or nce, the file of rows to learn: prompt, reply, weight, sign."""
    template: Literal["", "dual"] = ""
    """With rows that are workings of a verdict, dual, and the adapter is a judge; "" makes none."""
    negative: PathName = ""
    """With method nat, the folder of an adapter that learned the wrong traces by method reply."""
    nat: PathName = ""
    """With method nce, the folder of the adapter of method nat that is distilled into one LoRA."""
    levels: Annotated[list[Portion], Field(min_length=5, max_length=5)] = LEVELS
    """With method dual, how often a bsm-text reading is learned whole, or with more and more left out."""
    working_weight: Annotated[float, Field(gt=0, le=1)] = 1.0
    """With method dual, how much a token of a working counts beside one of the verdict's four."""
    workings: PathName = ""
    """With method dual, a run's folder whose teacher is bsm-text, if it is not the one that names winners."""
    rank: Few = 16
    """Rank of the LoRA matrices; with nat and nce 8 where it is left out."""
    alpha: Few = 32
    """LoRA's scale: what is learned counts alpha / rank times; with nat and nce 16 where it is left out."""
    dropout: Fraction = 0.0
    """Share of the inputs to LoRA that each step leaves out; 0 is the fastest; with nat and nce 0.05."""
    layers: Annotated[float, Field(gt=0, le=1)] = TOP_THIRD
    """Share of the layers, from the top, that get LoRA; those below run once. nat has its negative's."""
    modules: list[Module] = Field(default_factory=list)
    """Which linear layers in these get LoRA, such as [q_proj, v_proj]; [] is all. nat has its negative's."""
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 3e-4
    """Largest step of the optimizer, reached after the warm-up; it falls to zero at the end."""
    epochs: Few = 3
    """How often each example is seen."""
    batch_tokens: Length = 2048
    """Prompt tokens that go through the model at a time, but never less than one example."""
    accumulate: Positive = 1
    """Batches whose gradients make one step."""
    warmup: Fraction = 0.05
    """Share of the steps in which the learning rate rises from zero."""
    max_prompt_tokens: Length = 2048
    """Longest prompt; the middle of both answers is trimmed alike to fit, the verdict never."""
    evaluations: Few = 10
    """How many times in a run the held-out pairs are looked at."""
    watched: Positive = 64
    """How many held-out pairs are looked at each time, at most."""
    patience: Annotated[int, Field(ge=0)] = 3
    """Stop after this many looks in a row without a better one; 0 never stops early."""
    checkpointing: bool = False
    """Compute activations again in the backward pass instead of keeping them: less memory, more time."""
    device: Device = "auto"
    """auto, cpu or cuda."""
    dtype: Dtype = "auto"
    """auto, bfloat16 or float32."""

    @model_validator(mode="before")
    @classmethod
    def as_published(cls, values: Any) -> Any:
        """The values with what their method's authors had where they say nothing.

        What goes on from an adapter has that one's rank and alpha.
        """
        if not isinstance(values, dict) or values.get("method") not in ("nat", "nce"):
            return values
        published = {"dropout": PUBLISHED["dropout"]} if values.get("start_from") else PUBLISHED
        return published | values


class Recipe(Block):
    """A whole run. Make it with `read_recipe` or `recipe_of`, which also check how settings combine."""

    name: Annotated[str, AfterValidator(folder_name)]
    """What the run's folder and the adapter are called; -votes is put behind an adapter that learns votes."""
    seed: Seed = 0
    """Of the split by prompts and of training; the teacher's samples do not depend on it."""
    collect: Collect = Collect()
    """The first stage: the teacher reads pairs in both orders."""
    select: Select = Select()
    """The second stage: which of its verdicts may teach."""
    train: Train = Train()
    """The third stage: a LoRA adapter learns the verdicts' four tokens."""

    @property
    def student(self) -> str:
        """The base model that is trained."""
        return self.train.base_model or self.collect.teacher.base_model

    @property
    def adapter_name(self) -> str:
        """What the adapter is called: one that learns people's votes can be told by its name."""
        return self.name + VOTES_SUFFIX if self.train.targets == "votes" else self.name

    def files(self, folder: Path | None = None) -> list[Path]:
        """The files that its stages read, besides adapters; `folder` is that of local copies, see `file_at`.

        Not that of the makers' answers, which is written for it.
        """
        pairs, teacher = self.collect.pairs.path, self.collect.teacher
        found = [file_at(pairs, folder)] if pairs else []
        if isinstance(teacher.criteria, str) and teacher.criteria:
            found.append(at_home(teacher.criteria))
        return found + teacher.shards

    @property
    def has_teacher(self) -> bool:
        """Whether the student learns what a teacher said, and not people's votes or the rows of a file."""
        return self.train.targets != "votes" and self.train.method not in BY_ROWS

    @property
    def student_ties(self) -> bool:
        """Whether the student may call two answers equally good: only where it is shown ties.

        Every filter but none drops them, soft targets are of the two answers, and votes do not teach ties.
        """
        return self.collect.teacher.ties and self.select.filter == "none" and self.train.targets == "hard"


# --- reading ---------------------------------------------------------------------------------------------


def read_recipe(path: str | Path, changes: Mapping[str, Any] = {}) -> Recipe:
    """The recipe of a YAML file, with some settings changed: {"collect.pairs.limit": 200}.

    Raises:
        BadLines: the file is not YAML, or settings are wrong, unknown, missing or do not go together; the
        error has a line for each mistake.
        InputError: the file cannot be read.
    """
    return recipe_of(changed(read_block(Path(path), Recipe.model_fields), changes), str(path))


def recipe_of(values: Mapping[str, Any], where: str) -> Recipe:
    """The recipe of plain values, such as `recipe_to_json` gives.

    Raises:
        BadLines: all mistakes, each line beginning with `where`.
    """
    try:
        recipe, wrong = Recipe.model_validate(values), []
    except ValidationError as error:
        wrong = error.errors(include_url=False)
        recipe = Recipe.model_validate(_with_defaults(values, wrong))
    bad = [_key_of(one) for one in wrong]
    problems = problems_of(wrong, Recipe, values)
    problems += [rule.problem(recipe) for rule in RULES if rule.is_broken(recipe) and not rule.reads(bad)]
    if problems:
        raise BadLines([f"{where}: {problem}" for problem in problems])
    return recipe


def changed(values: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The values with each dotted key set; missing blocks on the way are created."""
    new: dict[str, Any] = dict(values)
    for key, value in changes.items():
        new = _with(new, key.split("."), value)
    return new


def _with(block: Any, keys: Sequence[str], value: Any) -> Any:
    """The block with the value below these keys; anything that is not a block stays, to be reported later."""
    if not keys:
        return value
    block = {} if block is None else block
    if not isinstance(block, dict):
        return block
    return block | {keys[0]: _with(block.get(keys[0]), keys[1:], value)}


# --- mistakes in words -----------------------------------------------------------------------------------


def _key_of(error: ErrorDetails) -> str:
    return ".".join(str(part) for part in error["loc"])


def _with_defaults(values: Mapping[str, Any], wrong: list[ErrorDetails]) -> dict[str, Any]:
    """The values without what is wrong in them, so that the rest can be looked at."""
    copy: dict[str, Any] = deepcopy(dict(values))
    for error in wrong:
        block: Any = copy
        name, *inner = map(str, error["loc"])
        while inner and isinstance(block.get(name), dict):  # a list with something wrong in it goes whole
            block, (name, *inner) = block[name], inner
        for key in [key for key in block if str(key) == name]:
            del block[key]
    return {"name": "recipe"} | copy


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule about settings that depend on each other. An error names the first key."""

    keys: tuple[str, ...]
    is_broken: Callable[[Recipe], bool]
    must: str

    def reads(self, bad: Collection[str]) -> bool:
        """Whether a setting that it looks at, the block of one or a value in one is wrong in itself."""
        both = [(f"{key}.", f"{one}.") for key in self.keys for one in bad]
        return any(key.startswith(one) or one.startswith(key) for key, one in both)

    def problem(self, recipe: Recipe) -> str:
        values = (f"{key} {shown(reduce(getattr, key.split('.'), recipe))}" for key in self.keys)
        return f"{self.keys[0]}: {self.must} (found: {', '.join(values)})"


VOTES_ON_ALL = "votes are on the pairs of the file, from the first on: leave it out"
SOURCE, PATH, SPLIT = (f"collect.pairs.{name}" for name in ("source", "path", "split"))
METHOD, SAMPLES, VOTE, RANKER, TEMPERATURE, ADAPTER, SIGNALS, JURY = (
    f"collect.teacher.{name}"
    for name in ("method", "samples", "vote", "ranker", "temperature", "adapter", "signals", "jury")
)


def samples_of(recipe: Recipe) -> int:
    return recipe.collect.teacher.samples


def teachers_method(recipe: Recipe) -> str:
    """The teacher's method by its own name."""
    return WAYS.get(recipe.collect.teacher.method, recipe.collect.teacher.method)


def is_exact(recipe: Recipe) -> bool:
    """Whether the teacher's probabilities are exact: it answers in four tokens, or by given criteria."""
    teacher, method = recipe.collect.teacher, teachers_method(recipe)
    return method in (*LEARNED, DUAL[0]) or (bool(teacher.criteria) and method in ("bsm", "checklist"))


def has_probabilities(recipe: Recipe) -> bool:
    """Whether the teacher's verdicts have a P(A): those by letters, scores, sums or a majority's shares."""
    teacher = recipe.collect.teacher
    is_share = teacher.samples > 1 and teacher.vote != "usc"
    return teacher.is_sum or is_share or teachers_method(recipe) not in WITHOUT_PROBABILITIES


def lacks_adapter(recipe: Recipe) -> bool:
    """Whether the teacher's method is one that only an adapter has learned, and none is named.

    What a server runs under a name of its own may have learned it.
    """
    teacher = recipe.collect.teacher
    return teacher.method in DUAL and teacher.adapter in ("", NO_ADAPTER) and teacher.backend in LOCAL


def weighs_no_traces(recipe: Recipe) -> bool:
    """Whether some samples are to count more, and none says how it came about."""
    is_weighed = recipe.collect.teacher.vote not in PLAIN_VOTES
    return is_weighed and teachers_method(recipe) not in TRACED


def is_vote_of_one(recipe: Recipe) -> bool:
    """Whether a vote is named that is none, as there is one sample; sums have rules of their own."""
    teacher = recipe.collect.teacher
    return teacher.vote != Teacher().vote and teacher.samples == 1 and not teacher.is_sum


def writes_workings(recipe: Recipe) -> bool:
    """Whether the teacher's readings say in words how each was reached."""
    teacher = recipe.collect.teacher
    return teacher.method == WRITES_WORKINGS and teacher.samples == 1 and not teacher.is_sum


def makes_more(recipe: Recipe) -> bool:
    """Whether more is learned than the replies: agreement of the orders, or pairs made by construction."""
    it = recipe.train
    return bool(it.symmetry or it.contrast or it.constraints or it.constructed)


def judges_by_criteria(recipe: Recipe) -> bool:
    """Whether the teacher is of a kind that can be given criteria."""
    return teachers_method(recipe) in BY_CRITERIA and not recipe.collect.teacher.is_sum


def resolved(path: str) -> Path:
    """The file that a path means, links followed; what can be no file stays as it is: its reader says so."""
    try:
        return at_home(path).resolve()
    except (OSError, RuntimeError):  # RuntimeError: links in a circle
        return at_home(path)


def names_no_signal(recipe: Recipe) -> bool:
    """Whether signals are spoken of and none is named, nor a method, which manifests name where none is."""
    teacher = recipe.collect.teacher
    given = teacher.model_fields_set
    return "signals" in given and "method" not in given and not teacher.is_sum


def names_a_shard_twice(recipe: Recipe) -> bool:
    """Whether two names in the jury are those of one file."""
    jury = recipe.collect.teacher.jury
    return len({resolved(path) for path in jury}) < len(jury)


SUMS = ("signals", "jury")
READ_ONCE = "signals are read once, and a jury's judges have read already"


def beside(sums: Sequence[str], name: str, why: str) -> Rule:
    """A rule that these sums stand without this setting of a teacher, which they do not read."""

    def is_given(recipe: Recipe) -> bool:
        teacher = recipe.collect.teacher
        usual = (Teacher(), Teacher(criteria=teacher.criteria))  # criteria bring a method of their own
        is_usual = getattr(teacher, name) in [getattr(one, name) for one in usual]
        return any(getattr(teacher, one) for one in sums) and not is_usual

    keys = (f"collect.teacher.{one}" for one in (name, *sums))
    return Rule(tuple(keys), is_given, f"{why}: leave it out")


RULES = (
    Rule(
        (PATH, SOURCE),
        lambda r: r.collect.pairs.source == "file" and not r.collect.pairs.path,
        "source file needs the path of a pair file",
    ),
    Rule(
        (SOURCE, PATH, "collect.pairs.hh_rlhf"),
        lambda r: (
            r.collect.pairs.source == "hh_rlhf" and bool(r.collect.pairs.path or r.collect.pairs.hh_rlhf)
        ),
        "hh_rlhf is read below the folder that JUDGE_DATA names, as many as limit says: leave the others out",
    ),
    Rule(
        (SPLIT, PATH),
        lambda r: (
            r.collect.pairs.split != "train"
            and bool(r.collect.pairs.path or r.collect.pairs.source == "hh_rlhf")
        ),
        "only the hub's OASST has splits, a file is read whole: leave it out",
    ),
    Rule(
        (TEMPERATURE, SAMPLES, METHOD),
        lambda r: samples_of(r) > 1 and r.collect.teacher.temperature == 0 and not is_exact(r),
        "at 0 all samples are alike: must be greater than 0, for example 0.7",
    ),
    Rule(
        (METHOD, SAMPLES, TEMPERATURE),
        lambda r: is_exact(r) and (samples_of(r) > 1 or r.collect.teacher.temperature > 0),
        "its probabilities are exact, so there is nothing to sample: samples 1 and temperature 0",
    ),
    Rule(
        (VOTE, RANKER),
        lambda r: (r.collect.teacher.vote == RANKED) != bool(r.collect.teacher.ranker),
        f"vote {RANKED} and the folder of a ranker need each other",
    ),
    Rule(
        (VOTE, METHOD),
        weighs_no_traces,
        f"it weighs samples of a method that writes how it came to its verdict: {', '.join(TRACED)}",
    ),
    Rule(
        (VOTE, SAMPLES),
        is_vote_of_one,
        "one sample has no vote: the teacher needs more than 1",
    ),
    Rule(
        (SAMPLES, VOTE),
        lambda r: r.collect.teacher.vote == "usc" and samples_of(r) > len(SAMPLE_LETTERS),
        f"usc can tell {len(SAMPLE_LETTERS)} apart at most",
    ),
    Rule(
        (VOTE, "collect.teacher.backend"),
        lambda r: r.collect.teacher.vote == RANKED and r.collect.teacher.backend != "embedded",
        "a ranker reads traces in this process: takes backend embedded",
    ),
    Rule(
        ("collect.teacher.recorded", VOTE),
        lambda r: bool(r.collect.teacher.recorded) and r.collect.teacher.vote not in PLAIN_VOTES,
        "samples that count differently are weighed where they are read: leave it out",
    ),
    Rule(
        ("collect.teacher.ties", METHOD),
        lambda r: r.collect.teacher.ties and teachers_method(r) == "score",
        "grades are rarely equal, so there is no tie to allow: leave it out",
    ),
    Rule(
        ("select.filter", SAMPLES),
        lambda r: r.select.filter in ("majority", "usc") and samples_of(r) == 1,
        "it chooses among samples: the teacher needs more than 1",
    ),
    Rule(
        ("select.filter", VOTE),
        lambda r: r.select.filter in ("majority", "usc") and r.select.filter != r.collect.teacher.vote,
        "the teacher's vote must be the same",
    ),
    Rule(
        ("select.filter", METHOD, SAMPLES, VOTE),
        lambda r: r.select.filter == "mean" and not has_probabilities(r),
        "this teacher gives no probabilities: take swap, another method or a majority of samples",
    ),
    Rule(
        ("select.margin", METHOD, SAMPLES, VOTE),
        lambda r: r.select.margin > 0 and not has_probabilities(r),
        "this teacher gives no probabilities: leave it at 0, or take another method or a majority of samples",
    ),
    Rule(
        ("train.targets", METHOD, SAMPLES, VOTE),
        lambda r: r.train.targets == "soft" and not has_probabilities(r),
        "this teacher gives no probabilities: take hard, another method or a majority of samples",
    ),
    Rule(
        ("train.sharpness", "train.targets"),
        lambda r: r.train.sharpness != 1 and r.train.targets != "soft",
        "only soft targets are made sharper: leave it at 1, or take soft",
    ),
    Rule(
        ("train.votes", "train.targets"),
        lambda r: (r.train.targets == "votes") != bool(r.train.votes),
        "a file of votes and targets votes need each other",
    ),
    Rule(
        ("train.rows", "train.method"),
        lambda r: (r.train.method in BY_ROWS) != bool(r.train.rows),
        f"a file of rows and method {', '.join(BY_ROWS[:-1])} or {BY_ROWS[-1]} need each other",
    ),
    Rule(
        ("train.template", "train.method"),
        lambda r: bool(r.train.template) and r.train.method not in BY_ROWS,
        "rows alone are of a template that is named: leave it out",
    ),
    Rule(
        ("train.answers", "train.constructed"),
        lambda r: any(r.train.constructed.get(kind) for kind in OF_MAKERS) != bool(r.train.answers),
        f"a file of answers and constructed pairs of kind {' or '.join(OF_MAKERS)} need each other",
    ),
    Rule(
        ("train.negative", "train.method"),
        lambda r: (r.train.method == "nat") != bool(r.train.negative),
        "the folder of an adapter that learned wrong traces and method nat need each other",
    ),
    Rule(
        ("train.nat", "train.method"),
        lambda r: (r.train.method == "nce") != bool(r.train.nat),
        "the folder of an adapter of method nat and method nce need each other",
    ),
    Rule(
        ("train.layers", "train.modules", "train.method"),
        lambda r: r.train.method == "nat" and (r.train.layers != TOP_THIRD or bool(r.train.modules)),
        "a positive LoRA lies where its negative one does: leave both out",
    ),
    Rule(
        ("train.start_from", "train.method"),
        lambda r: r.train.method == "nat" and bool(r.train.start_from),
        "a positive LoRA and its units are always new: leave it out",
    ),
    Rule(
        ("train.levels",),
        lambda r: abs(sum(r.train.levels) - 1) > SUM_TOLERANCE,
        "must be five shares that add up to 1",
    ),
    Rule(
        ("train.levels", "train.method"),
        lambda r: r.train.levels != LEVELS and r.train.method != "dual",
        "only method dual leaves parts out: leave it out, or take dual",
    ),
    Rule(
        ("train.working_weight", "train.method"),
        lambda r: r.train.working_weight != 1 and r.train.method != "dual",
        "only method dual learns workings: leave it out, or take dual",
    ),
    Rule(
        ("train.workings", "train.method"),
        lambda r: bool(r.train.workings) and r.train.method != "dual",
        "only method dual learns how a verdict was reached: leave it out, or take dual",
    ),
    Rule(
        (METHOD, "train.method", "train.workings"),
        lambda r: r.train.method == "dual" and not r.train.workings and not writes_workings(r),
        "a dual student learns what bsm-text wrote, one sample of it: take that, or name train.workings",
    ),
    Rule(
        ("train.targets", "train.method"),
        lambda r: r.train.targets != "hard" and r.train.method in WHOLE_REPLIES,
        "a whole reply is learned as it is written: must be hard",
    ),
    Rule(
        ("train.symmetry", "train.contrast", "train.constraints", "train.constructed", "train.method"),
        lambda r: r.train.method in WHOLE_REPLIES and makes_more(r),
        "only verdicts alone have a mirror image and can be made by construction: leave it out",
    ),
    Rule(
        ("train.symmetry", "train.method"),
        lambda r: r.train.method == "score" and r.train.symmetry > 0,
        "a student that grades each answer alone has no orders to pull together: leave it at 0",
    ),
    Rule(
        (SOURCE, "train.targets"),
        lambda r: r.train.targets == "votes" and r.collect.pairs.source != "file",
        "votes name the pairs of a file by their ids: must be file",
    ),
    Rule(
        ("collect.pairs.hh_rlhf", "train.targets"),
        lambda r: r.train.targets == "votes" and bool(r.collect.pairs.hh_rlhf),
        VOTES_ON_ALL,
    ),
    Rule(
        ("collect.pairs.skip", "train.targets"),
        lambda r: r.train.targets == "votes" and bool(r.collect.pairs.skip),
        VOTES_ON_ALL,
    ),
    Rule(
        ("train.start_from", "train.targets"),
        lambda r: r.train.targets != "votes" and learned_votes(Path(r.train.start_from).name),
        "this adapter learned votes, which no teacher's verdicts are mixed with: needs targets votes",
    ),
    Rule(
        (JURY,),
        lambda r: "jury" in r.collect.teacher.model_fields_set and not r.collect.teacher.jury,
        "names no shard, so the teacher would be no jury: name one, or leave it out",
    ),
    Rule(
        (SIGNALS,),
        names_no_signal,
        "names no signal, so the teacher would be no sum of signals: name one, or leave it out",
    ),
    beside(("jury",), "base_model", "a jury's judges have their own, and the student's is train.base_model"),
    beside(("jury",), "adapter", "a jury's judges have their own"),
    beside(SUMS, "method", "a sum of signals has none, and a jury's judges have their own"),
    beside(SUMS, "ties", "the sum of the log-odds names a winner"),
    beside(SUMS, "samples", READ_ONCE),
    beside(SUMS, "vote", READ_ONCE),
    beside(SUMS, "temperature", READ_ONCE),
    beside(SUMS, "max_new_tokens", READ_ONCE),
    Rule(
        ("collect.teacher.length", JURY, SIGNALS),
        lambda r: r.collect.teacher.length != 0 and not r.collect.teacher.is_sum,
        "only a sum of signals or of judges is made less by length: leave it out",
    ),
    Rule(
        (JURY, SIGNALS, "collect.teacher.recorded"),
        lambda r: bool(r.collect.teacher.jury and (r.collect.teacher.signals or r.collect.teacher.recorded)),
        "a jury is read from its own shards: leave the others out",
    ),
    Rule(
        (JURY,),
        names_a_shard_twice,
        "two names of one shard, which would be read once: name it once, with its whole weight",
    ),
    Rule(
        ("collect.teacher.criteria", METHOD),
        lambda r: bool(r.collect.teacher.criteria) and not judges_by_criteria(r),
        f"only a teacher of method {', '.join(BY_CRITERIA)} alone judges by criteria",
    ),
    Rule(
        (ADAPTER, METHOD),
        lambda r: r.collect.teacher.adapter != NO_ADAPTER and teachers_method(r) not in (*LEARNED, *DUAL),
        f"an adapter belongs to {', '.join((*LEARNED, *DUAL[:-1]))} or {DUAL[-1]}; other methods judge with "
        "the bare base model: must be none",
    ),
    Rule(
        (ADAPTER, METHOD, "collect.teacher.backend"),
        lacks_adapter,
        "only an adapter that has learned method dual knows what it is asked: name its folder",
    ),
    Rule(
        (ADAPTER,),
        lambda r: learned_votes(Path(r.collect.teacher.adapter).name),
        VOTES_DO_NOT_TEACH,
    ),
    Rule(
        ("name",),
        lambda r: learned_votes(r.name),
        f"must not end in {VOTES_SUFFIX}, which is put behind the name where an adapter learns votes",
    ),
    Rule(
        ("name", "train.targets"),
        lambda r: FOLDER_NAME.fullmatch(r.adapter_name) is None,
        f"must be at most {64 - len(VOTES_SUFFIX)} characters, as {VOTES_SUFFIX} is put behind the adapter's",
    ),
)


# --- what a stage depends on, and where files are --------------------------------------------------------


def recipe_to_json(recipe: Recipe) -> dict[str, Any]:
    """The recipe as plain values, in the order of the classes above.

    Every default is spelled out, save that there are no criteria, no jury, no ranker, no file of answers and
    no template, that all modules are adapted, and what its method does not read.
    """
    values = recipe.model_dump(mode="json")
    for name, methods in OWN_METHODS.items():
        if recipe.train.method not in methods:
            del values["train"][name]
    for name in ("modules", "answers", "template"):
        if name in values["train"] and not values["train"][name]:
            del values["train"][name]
    if recipe.train.method == "nat":
        del values["train"]["layers"]
    for name in ("criteria", "jury", "ranker"):
        if not values["collect"]["teacher"][name]:
            del values["collect"]["teacher"][name]
    return values


def settings_hash(recipe: Recipe, stage: Stage) -> str:
    """SHA-256 (hex) of every setting that can change what a stage makes, earlier stages included.

    How fast a server is asked is left out, and whether a teacher's readings were there already; so are the
    contents of the files that are named.
    """
    values = recipe_to_json(recipe)
    teacher = values["collect"]["teacher"]
    values["collect"]["teacher"] = {key: teacher[key] for key in teacher if key not in CHANGE_NOTHING}
    whole = tuple(values)
    parts = {"collect": ("collect",), "select": ("seed", "collect", "select"), "train": whole, "rank": whole}
    return sha256_of_json({name: values[name] for name in parts[stage]})


def file_at(path: str, folder: Path | None = None) -> Path:
    """The file that a recipe's path means, relative to where the command runs.

    `${JUDGE_DATA}` at its beginning is the folder of local copies: `folder`, else what JUDGE_DATA names, else
    `../shared/data` where that exists. The recipe keeps the words, so that it means the same everywhere.

    Raises:
        InputError: there is no such folder.
    """
    if not path.startswith(DATA):
        return at_home(path)
    data = data_folder(folder)
    if data is None:
        raise InputError(f"{path}: JUDGE_DATA is not set. It must name the folder of local copies.")
    return data / path.removeprefix(DATA).lstrip("/")

"""What a student learns from and is watched with: pairs whose verdicts it learns, or rows of replies.

a selection, people's votes, or a file of rows -> lessons -> rows of tokens -> a training, ready to run
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from distill.answers import with_answers
from distill.clean import check_to_json, clean_by, held_out_texts
from distill.constraints import asked_of, constraint_examples
from distill.construct import constructed, constructed_kind, material_of
from distill.contrast import contrast_examples, contrast_kind
from distill.examples import Asked, TokenRow, VerdictRow, batches_of, reply_rows, teachable, token_rows
from distill.folder import RunFolder
from distill.grading import GradeTraining, graded_rows
from distill.recipe import BY_ROWS, Recipe, file_at
from distill.replying import ReplyTraining
from distill.rows import WRONG, Row, drawn, read_rows, row_to_json
from distill.said import N_COMPARED, Said, SaidReplies, SaidVerdicts, compared
from distill.selection import SURPLUS, Example, Part, contents_of, part_by, surplus_of, targets
from distill.selectionfile import example_to_json, read_selection
from distill.stages import check_traces, made_before
from distill.student import Batch, Student, batch_of
from distill.traces import read_traces, shards_of
from distill.train import Training, VerdictTraining
from distill.votes import voted_examples
from distill.workings import Workings, check_workings, dual_rows, texts_in, thinned, workings_of
from distill.wrongtraining import NceTraining, UnlikelihoodTraining
from judge.backends import Settings
from judge.errors import InputError
from judge.io.files import at_home, sha256_of
from judge.io.rows import shown
from judge.io.wording import counts_in_words
from judge.methods.asking import letters_of
from judge.methods.direct import render_direct
from judge.methods.dual import render_dual
from judge.methods.score import GRADES, render_score
from judge.models.adapters import Adapter, starts_of
from judge.progress import silent
from judge.prompts.working import Weighed, Working
from judge.records import Order, Outcome, Pair, Prompt, sha256_of_json

TYPICAL = (
    Weighed(
        "Clarity: says what was asked in words that can be followed by anybody.",
        (4, 3),
        "Answer A comes to the point at once, while answer B repeats the question before it begins.",
    ),
) * 5
"""A working of the usual length."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lessons(ABC):
    """What a student learns from and what it is looked at with.

    `source` is a hash of where that comes from, `data` is what manifests say of it, and `warning` names what
    it was not checked against. `within` says where the stages before were cut, if they had a time, and
    `criteria` what the teacher judged by, if that was given.
    """

    recipe: Recipe
    source: str
    data: Mapping[str, Any]
    warning: str = ""
    within: Mapping[str, Any] | None = None
    criteria: Sequence[str] = ()

    @property
    def n_kept(self) -> int:
        """The pairs or rows that were kept, those made by construction left out."""
        return len(self.data["train"]) + len(self.data["held_out"])

    @property
    @abstractmethod
    def n_watched(self) -> int:
        """How many are looked at."""

    @abstractmethod
    def training(self, student: Student, folder: Path, key: str, clock: Callable[[], float]) -> Training[Any]:
        """The student with its rows, ready to run; the arguments are those of `Training`."""

    @abstractmethod
    def said(self, training: Training[Any]) -> Said:
        """What the student says now of what is watched, else of what it was trained on."""

    def settings_of(self, student: Student) -> Settings:
        """How an engine loads the student's base model to be compared with it."""
        return Settings(
            self.recipe.student,
            max_prompt_tokens=self.recipe.train.max_prompt_tokens,
            dtype=student.dtype,
            device=student.device,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictLessons(Lessons):
    """Examples whose verdicts are learned, in four tokens each."""

    trained: Sequence[Example]
    watched: Sequence[Example]

    @property
    def n_watched(self) -> int:
        return len(self.watched)

    def training(
        self, student: Student, folder: Path, key: str, clock: Callable[[], float] = time.perf_counter
    ) -> VerdictTraining:
        settings = self.recipe.train
        batches, watched = (
            batches_of(self.rows(some, student), settings.batch_tokens)
            for some in (self.trained, self.watched)
        )
        letters = self.letter_ids(student)
        kind = GradeTraining if settings.method == "score" else VerdictTraining
        return kind(student, batches, watched, letters, settings, self.recipe.seed, folder, key, clock)

    def rows(self, examples: Sequence[Example], student: Student) -> list[VerdictRow]:
        """The rows of a verdict and nothing else."""
        settings, encoder, end = self.recipe.train, student.encoder, student.end_of_turn
        is_soft = settings.targets == "soft"
        if settings.method == "score":
            return graded_rows(examples, encoder, end, is_soft, settings.sharpness)
        return token_rows(examples, encoder, end, self.recipe.student_ties, is_soft, settings.sharpness)

    def letter_ids(self, student: Student) -> list[int]:
        """The tokens of what the student may answer in its verdict's open place."""
        start = prompt_for(self.recipe, self.trained[0].pair, Order.AB).reply_start
        return student.encoder.choice_ids(choices_of(self.recipe), start)

    def said(self, training: Training[Any]) -> SaidVerdicts:
        assert isinstance(training, VerdictTraining)
        examples = self.watched if training.held_out else self.trained
        prompts, probabilities = [], []
        for batch in compared(training.held_out or self.taught_alone(training)):
            prompts += [prompt_for(self.recipe, examples[row.example].pair, row.order) for row in batch.rows]
            probabilities += training.probabilities(batch)
        return SaidVerdicts(
            settings=self.settings_of(training.student),
            choices=choices_of(self.recipe),
            prompts=prompts[:N_COMPARED],
            probabilities=probabilities[:N_COMPARED],
        )

    def taught_alone(self, training: VerdictTraining) -> list[Batch[VerdictRow]]:
        """Batches of verdicts with nothing before them, of examples that were trained on."""
        return training.used


@dataclass(frozen=True, slots=True, kw_only=True)
class DualLessons(VerdictLessons):
    """Examples whose verdicts are learned with and without their workings; each has one in some order.

    What an example shows is drawn anew in each epoch. What is looked at are verdicts alone.
    """

    workings: Workings

    def training(
        self, student: Student, folder: Path, key: str, clock: Callable[[], float] = time.perf_counter
    ) -> VerdictTraining:
        settings, seed = self.recipe.train, self.recipe.seed
        batches: list[list[VerdictRow]] = []
        epochs: list[range] = []
        for epoch in range(settings.epochs):
            some = batches_of(self.rows_in(epoch, student), settings.batch_tokens)
            epochs.append(range(len(batches), len(batches) + len(some)))
            batches += some
        watched = batches_of(self.rows(self.watched, student), settings.batch_tokens)
        letters = self.letter_ids(student)
        return VerdictTraining(student, batches, watched, letters, settings, seed, folder, key, clock, epochs)

    def rows_in(self, epoch: int, student: Student) -> list[VerdictRow]:
        """What one epoch shows of each example."""
        levels, seed = self.recipe.train.levels, self.recipe.seed
        contents = [one.pair.content_hash for one in self.trained]
        thin = [thinned(self.workings[content], levels, seed, epoch, content) for content in contents]
        return self._rows_of(self.trained, thin, student)

    def rows(self, examples: Sequence[Example], student: Student) -> list[VerdictRow]:
        letter_of = {choice: letter for letter, choice in letters_of(self.recipe.student_ties).items()}
        alone = [
            {
                order: Working((), letter_of[choice])
                for order, choice in one.choices.items()
                if choice in letter_of
            }
            for one in examples
        ]
        return self._rows_of(examples, alone, student)

    def _rows_of(
        self, examples: Sequence[Example], workings: Sequence[Mapping[Order, Working]], student: Student
    ) -> list[VerdictRow]:
        return dual_rows(examples, workings, student.encoder, student.end_of_turn, self.recipe.student_ties)

    def taught_alone(self, training: VerdictTraining) -> list[Batch[VerdictRow]]:
        rows = self.rows(self.trained[:N_COMPARED], training.student)
        batches = [batch_of(some) for some in batches_of(rows, self.recipe.train.batch_tokens)]
        training.lower.prepare(batches, silent)
        return batches


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyLessons(Lessons):
    """Rows whose replies are learned; by method unlikelihood, wrong ones are unlearned."""

    trained: Sequence[Row]
    watched: Sequence[Row]

    @property
    def n_watched(self) -> int:
        return len(self.watched)

    def training(
        self, student: Student, folder: Path, key: str, clock: Callable[[], float] = time.perf_counter
    ) -> ReplyTraining:
        settings = self.recipe.train
        batches, watched = (
            batches_of(self.rows(some, student), settings.batch_tokens)
            for some in (self.trained, self.watched)
        )
        parts = (student, batches, watched, settings, self.recipe.seed, folder, key, clock)
        if settings.method == "nce":
            return NceTraining(*parts, teacher=replace(self.settings_of(student), adapter=settings.nat))
        return (UnlikelihoodTraining if settings.method == "unlikelihood" else ReplyTraining)(*parts)

    def rows(self, some: Sequence[Row], student: Student) -> list[TokenRow]:
        has_signs = self.recipe.train.method == "unlikelihood"
        asked = [
            Asked(number, self.named(row), row.reply, row.weight, has_signs and row.sign == WRONG)
            for number, row in enumerate(some)
        ]
        return reply_rows(asked, student.encoder, student.end_of_turn)

    def named(self, row: Row) -> Prompt:
        """The row's prompt, which messages call by its beginning."""
        return replace(row.prompt, name=f"{self.recipe.train.rows}: {shown(row.question)}")

    def said(self, training: Training[Any]) -> SaidReplies:
        assert isinstance(training, ReplyTraining)
        batches, rows = training.used, self.trained
        if training.held_out:
            batches, rows = training.held_out, self.watched
        asked, likelihoods = [], []
        for batch in compared(batches):
            asked += [(rows[row.example].prompt, rows[row.example].reply) for row in batch.rows]
            likelihoods += training.likelihoods_of_text(batch)
        return SaidReplies(
            settings=self.settings_of(training.student),
            asked=asked[:N_COMPARED],
            likelihoods=likelihoods[:N_COMPARED],
        )


# --- where they come from --------------------------------------------------------------------------------


def lessons_of(recipe: Recipe, folder: RunFolder, data: Path | None, start: Adapter | None = None) -> Lessons:
    """What the recipe's student learns from.

    Args:
        data: the folder of local copies of data sets; None is the hub. Votes and rows may lie in it.
        start: the adapter that training goes on from. What it was trained on, or one that it went on from in
            turn, is not looked at as held out.

    Raises:
        InputError: nothing is selected by this recipe, votes or rows cannot be read, or nothing is left.
    """
    if recipe.train.method in BY_ROWS:
        return reply_lessons(recipe, data, start)
    lessons = verdict_lessons(recipe, folder, data, start)
    return with_workings(lessons, folder) if recipe.train.method == "dual" else lessons


def with_workings(lessons: VerdictLessons, folder: RunFolder) -> DualLessons:
    """The same lessons with the workings of the traces; examples without one are not trained on.

    Raises:
        InputError: there are no traces or not all of them, or none of them has a working to learn.
    """
    recipe, data = lessons.recipe, dict(lessons.data)
    run = RunFolder(Path(recipe.train.workings)) if recipe.train.workings else folder
    unlisted, traces = check_traces(run), run.traces
    workings, without = workings_of(lessons.trained, read_traces(traces), recipe.student_ties)
    found = [one for one in lessons.trained if one.pair.content_hash in workings]
    trained, surplus = balanced(recipe, found)
    without += surplus
    if not trained:
        raise InputError(
            f"{traces}: no working is left to learn ({counts_in_words(without)}). They are those of readings "
            "by bsm-text that come to the same winners as the selection; a shard has them where it was made "
            "with `judge ledger export --steps`."
        )
    data["train"] = [one.pair.content_hash for one in trained]
    data["without_working"] = dict(sorted(without.items()))
    return DualLessons(
        recipe=recipe,
        source=sha256_of_json([lessons.source, [sha256_of(shard) for shard in shards_of(traces)]]),
        data=data,
        warning=" ".join(filter(None, [lessons.warning, unlisted])),
        within=lessons.within,
        criteria=lessons.criteria,
        trained=trained,
        watched=lessons.watched,
        workings=workings,
    )


def trial_lessons(recipe: Recipe, pairs: Sequence[Pair]) -> VerdictLessons:
    """Lessons that take as long as real ones of these pairs, before a teacher has said anything of them."""
    shown = [Example(pair, targets(Outcome.A), 0.5, Part.TRAIN) for pair in pairs]
    if recipe.train.method != "dual":
        return VerdictLessons(recipe=recipe, source="", data={}, trained=shown, watched=[])
    both = {Order.AB: Working(TYPICAL, "A"), Order.BA: Working(TYPICAL, "B")}
    workings = {pair.content_hash: both for pair in pairs}
    return DualLessons(recipe=recipe, source="", data={}, trained=shown, watched=[], workings=workings)


def reply_lessons(recipe: Recipe, data: Path | None = None, start: Adapter | None = None) -> ReplyLessons:
    """The rows of the recipe's file, a share of their groups or prompts held out.

    Rows that make a judge are clean: those that show a text of what judges are measured on are left out.

    Args:
        data: the folder of local copies, see `file_at`.
        start: as for `lessons_of`.

    Raises:
        BadLines: lines of the file are no rows.
        InputError: the file or what to keep out cannot be read, no row is left to train on, or the method
            needs other signs.
    """
    path = recipe.train.rows
    given = read_rows(file_at(path, data))
    rows, told, unchecked = clean_rows(recipe, given, data) if recipe.train.template else (given, {}, "")
    parts: dict[Part, list[Row]] = {part: [] for part in Part}
    for row in rows:
        parts[part_by(row.held_out_by, recipe.select.held_out, recipe.seed)].append(row)
    kept, held_out = parts[Part.TRAIN], parts[Part.HELD_OUT]
    if not kept:
        why = f" ({counts_in_words(told['contamination']['dropped'])})" if len(rows) < len(given) else ""
        raise InputError(
            f"{path}: no row of {len(given)} is left to train on{why}. Give more, or hold out fewer."
        )
    check_signs(recipe, rows, kept)
    before = learned_by(start)
    unseen = [row for row in held_out if row.content_hash not in before]
    watched = drawn(unseen, recipe.train.watched, recipe.seed, lambda row: row)
    found = {
        "rows": path,
        "train": [row.content_hash for row in kept],
        "held_out": [row.content_hash for row in unseen],
        "watched": len(watched),
        **learned_before(len(held_out) - len(unseen)),
        **told,
    }
    learned = learned_warning(len(held_out) - len(unseen), len(unseen), "rows")
    return ReplyLessons(
        recipe=recipe,
        source=sha256_of_json([row_to_json(row) for row in rows]),
        data=found,
        warning=" ".join(filter(None, [unchecked, learned])),
        trained=kept,
        watched=watched,
    )


def clean_rows(
    recipe: Recipe, rows: Sequence[Row], data: Path | None
) -> tuple[list[Row], dict[str, Any], str]:
    """The rows of workings that show no text of what judges are measured on, what manifests say of that, and
    a line on what it could not be told of, else "".

    Raises:
        InputError: rows are no workings, or what to keep out cannot be read.
    """
    check_workings(recipe.train.rows, rows, recipe.student_ties)
    test_sets = held_out_texts(data, recipe.collect.pairs.unchecked)
    kept, dropped = clean_by(rows, test_sets, texts_in)
    return kept, {"contamination": check_to_json(test_sets, dropped)}, test_sets.warning


def check_signs(recipe: Recipe, rows: Sequence[Row], kept: Sequence[Row]) -> None:
    """Raises InputError where a method of right rows has wrong ones, or one of both kinds lacks a kind."""
    path, method = recipe.train.rows, recipe.train.method
    n_wrong = sum(row.sign == WRONG for row in rows)
    if method in ("nat", "nce") and n_wrong:
        raise InputError(
            f"{path}: {n_wrong} of {len(rows)} rows have sign {WRONG}. Method {method} learns right rows and "
            "knows the wrong ones by its negative adapter: leave them out."
        )
    n_kept = sum(row.sign == WRONG for row in kept)
    if method == "unlikelihood" and n_kept in (0, len(kept)):
        raise InputError(
            f"{path}: {n_kept} of {len(kept)} rows to train on have sign {WRONG}. Method unlikelihood needs "
            "right rows and wrong ones; with one kind alone take method reply."
        )


def verdict_lessons(
    recipe: Recipe, folder: RunFolder, data: Path | None, start: Adapter | None = None
) -> VerdictLessons:
    """The examples that teach, with those made by construction among them, and those that are watched.

    Args:
        start: as for `lessons_of`.

    Raises:
        InputError: nothing is selected by this recipe, the votes cannot be read, or nothing is left.
    """
    settings = recipe.train
    criteria: Sequence[str] = ()
    if settings.targets == "votes":
        voted = voted_examples(recipe, data)
        examples: Sequence[Example] = voted.examples
        source = sha256_of_json([example_to_json(one) for one in examples])
        origin = {"pairs": recipe.collect.pairs.path, "votes": settings.votes, "n_votes": voted.n_votes}
        origin |= {"left_out": dict(voted.left_out), "contamination": voted.contamination}
        warning, within = voted.warning, None
    else:
        selected = made_before(recipe, folder, "select")
        examples = read_selection(folder.selection).kept
        source = sha256_of(folder.selection)
        origin = {"pairs": recipe.collect.pairs.named, "selection": source}
        warning, within = selected["warning"], selected.get("within")
        criteria = selected.get("criteria", ())
    by_grade, is_soft = settings.method == "score", settings.targets == "soft"
    before = learned_by(start)
    fresh = [one for one in examples if one.part is Part.TRAIN or before.isdisjoint(contents_of(one.pair))]
    n_learned = len(examples) - len(fresh)
    teaching, untaught = teachable(fresh, recipe.student_ties, is_soft, by_grade)
    taught, surplus = balanced(recipe, teaching)
    untaught += surplus
    kept = [one for one in taught if one.part is Part.TRAIN]
    unseen = [one for one in taught if one.part is Part.HELD_OUT]
    if not kept:
        why = f" ({counts_in_words(untaught)})" if untaught else ""
        raise InputError(f"{folder.path}: no pair is left to train on{why}. Collect more, or hold out fewer.")
    contrast = contrast_examples(kept, settings.contrast, recipe.seed) if settings.contrast else []
    constraints = constraint_examples(kept, settings.constraints, recipe.seed) if settings.constraints else []
    made = made_examples(kept, settings.constructed, settings.answers, recipe.seed)
    watched = unseen[: settings.watched]
    found = {
        "train": [one.pair.content_hash for one in kept],
        "held_out": [one.pair.content_hash for one in unseen],
        "watched": len(watched),
        **learned_before(n_learned),
        "untaught": dict(untaught),
        "contrast": dict(sorted(Counter(contrast_kind(one.pair) or "" for one in contrast).items())),
        "constraints": dict(sorted(Counter(asked_of(one.pair) or "" for one in constraints).items())),
        "constructed": dict(sorted(Counter(str(constructed_kind(one.pair)) for one in made).items())),
    }
    trained = [*kept, *contrast, *constraints, *made]
    learned = learned_warning(n_learned, len(unseen), "pairs")
    return VerdictLessons(
        recipe=recipe,
        source=source,
        data=origin | found,
        warning=" ".join(filter(None, [warning, learned])),
        within=within,
        criteria=criteria,
        trained=trained,
        watched=watched,
    )


def balanced(recipe: Recipe, examples: Sequence[Example]) -> tuple[list[Example], Counter[str]]:
    """The examples that are left where the recipe balances lengths, and how many are left out for it.

    Those that were selected are balanced; it is what was left out since that may tip the balance again.
    """
    surplus = surplus_of(examples) if recipe.select.balance_length else set()
    kept = [one for one in examples if one.pair.id not in surplus]
    return kept, Counter([SURPLUS] * len(surplus))


def made_examples(
    kept: Sequence[Example], shares: Mapping[str, float], answers: str, seed: int
) -> list[Example]:
    """Pairs constructed of the requests and the replies that are learned from, each kind by its share.

    Args:
        answers: the file of the makers' answers, or "".

    Raises:
        InputError: of a kind of which there should be pairs, not one can be made.
    """
    if not shares:
        return []
    material = material_of([one.pair for one in kept])
    if answers:
        material = with_answers(material, at_home(answers))
    made = constructed(shares, material, round(sum(shares.values()) * len(kept)), seed)
    there = {constructed_kind(one.pair) for one in made}
    if missing := [kind for kind, share in shares.items() if share * len(kept) >= 1 and kind not in there]:
        raise InputError(
            f"train.constructed: no pair of kind {' or '.join(missing)} can be made of "
            f"{len(material.replies):,} requests, {len(material.ladder):,} of them with makers' answers. "
            "Leave it out, collect more pairs of one turn, or name the answers to these requests."
        )
    return made


# --- what an earlier round learned -----------------------------------------------------------------------


def learned_by(start: Adapter | None) -> frozenset[str]:
    """The contents that an adapter, and those that it went on from in turn, were trained on."""
    rounds = [] if start is None else [start.manifest, *starts_of(start.manifest)]
    return frozenset(one for each in rounds for one in (each.get("data") or {}).get("train", ()))


def learned_before(n_learned: int) -> dict[str, int]:
    """What a manifest's data say of held-out pairs or rows that an earlier round learned; nothing of none."""
    return {"learned_before": n_learned} if n_learned else {}


def learned_warning(n_learned: int, n_left: int, what: str) -> str:
    """One line where held-out pairs or rows, as `what` says, were learned by an earlier round, else none."""
    if not n_learned:
        return ""
    none_left = "" if n_left else f" No other {what} are held out, so this training is not watched."
    return (
        f"LEARNED BEFORE: {n_learned} held-out {what} are left out, as an earlier round was trained on "
        f"them.{none_left}"
    )


# --- what the student is asked ---------------------------------------------------------------------------


def templates_of(recipe: Recipe) -> list[str]:
    """The templates of the student's prompts; rows have prompts of their own, unless they are workings."""
    name = recipe.train.template if recipe.train.method in BY_ROWS else recipe.train.method
    return [name] if name else []


def choices_of(recipe: Recipe) -> list[str]:
    """What the student may answer in its verdict's open place; nothing where there is no verdict."""
    if not templates_of(recipe):
        return []
    return list(GRADES if recipe.train.method == "score" else letters_of(recipe.student_ties))


def prompt_for(recipe: Recipe, pair: Pair, order: Order) -> Prompt:
    """What the student is asked in that order; one that grades is asked for the first answer's grade."""
    if recipe.train.method == "score":
        return render_score(pair, order, 0)
    if recipe.train.method == "dual":
        return render_dual(pair, order, recipe.student_ties)
    return render_direct(pair, order, recipe.student_ties)

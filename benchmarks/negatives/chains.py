"""The control's task, and a teacher's chains of thought parted into right and wrong ones by known answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from benchmarks.system2 import gsm8k
from benchmarks.system2.following import Followed
from benchmarks.system2.plan import Plan, Stage, tokens_asked
from benchmarks.system2.reading import is_right
from benchmarks.system2.students import Lesson
from benchmarks.system2.task import Procedure, Question, Split, Task
from judge.records import Unparsed

USUAL_TOKENS = 100
"""A chain of the teacher after its eight examples; its students write like it."""

TASK = replace(
    gsm8k.TASK,
    name="negatives-gsm8k",
    system_1=Procedure("CoT, no example", (gsm8k.step_by_step,), 400, USUAL_TOKENS),
    n_samples=4,
    epochs=1,
    sizes={Split.TRAIN: 500, Split.HELD_OUT: 0, Split.TEST: 300},
)
"""Students are asked to think step by step, and never at once. In the hours that two cores have, more chains
seen once teach more than a few seen often."""

N_OWN = 2
"""Samples that the student of two LoRAs writes to each training question, for the one LoRA to learn too."""

N_VOTING = 8
"""Samples of one student for each test question, of which votes are taken."""

UNREAD = "no answer could be read"
REPEATED = "a chain that was there already"

STUDENTS = {
    "positive": "right chains alone",
    "negative": "wrong chains alone",
    "mix": "right and wrong chains alike (MIX)",
    "unlikelihood": "right chains learned, wrong ones unlearned",
    "nat": "negative assistant (NAT)",
    "nce": "the same in one LoRA, with its own chains (NCE)",
}
"""What each student learns; later ones are made of earlier ones."""

ROWS_OF_STUDENTS = 5.5
"""How many chains all of them and the ranker learn in an epoch, for each chain that was sampled."""


@dataclass(frozen=True, slots=True)
class Chains:
    """Right and wrong chains as lessons, and how many samples are neither, by reason."""

    right: Sequence[Lesson]
    wrong: Sequence[Lesson]
    left_out: Mapping[str, int]


def parted(task: Task, questions: Sequence[Question], samples: Sequence[Sequence[Followed]]) -> Chains:
    """The samples of each question by whether they come to its known answer; equal chains count once."""
    right: list[Lesson] = []
    wrong: list[Lesson] = []
    left_out: Counter[str] = Counter()
    for question, each in zip(questions, samples, strict=True):
        asked = task.system_1.steps[0](question.text, ())
        seen: set[str] = set()
        for one in each:
            answer = task.answer_in(one.reply)
            if isinstance(answer, Unparsed):
                left_out[UNREAD] += 1
            elif one.reply in seen:
                left_out[REPEATED] += 1
            else:
                side = right if is_right(answer, question.answer) else wrong
                side.append(Lesson(asked, one.reply))
            seen.add(one.reply)
    return Chains(right, wrong, left_out)


def extended(
    task: Task, chains: Chains, questions: Sequence[Question], own: Sequence[Sequence[Followed]]
) -> Chains:
    """The chains with those right ones that a student wrote itself and that are not among them."""
    there = set(chains.right)
    new = [one for one in parted(task, questions, own).right if one not in there]
    return replace(chains, right=[*chains.right, *new])


def stages_of(task: Task, plan: Plan, question_tokens: float) -> Iterator[Stage]:
    """The parts of the control in their order, if a question has so many tokens in the mean."""
    teacher, student = task.system_2[task.teacher], task.system_1
    chain = question_tokens + student.usual_tokens
    n_chains = plan.train * task.n_samples

    def asked(procedure: Procedure, n_questions: int, n_samples: int = 1) -> dict[str, float]:
        return tokens_asked(question_tokens, procedure, n_questions, n_samples)

    yield Stage("chains, sampled", False, **asked(teacher, plan.train, task.n_samples))
    yield Stage("test questions, teacher", False, **asked(teacher, plan.test))
    yield Stage("samples to learn from too", True, **asked(student, plan.train, N_OWN))
    yield Stage("students and ranker learn", True, learned=ROWS_OF_STUDENTS * n_chains * task.epochs * chain)
    yield Stage("students solve", True, **asked(student, (1 + len(STUDENTS)) * plan.test))
    yield Stage("samples to vote", True, **asked(student, plan.test, N_VOTING))
    yield Stage("samples weighed", True, read=2 * N_VOTING * plan.test * chain)

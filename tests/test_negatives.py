"""Learning from wrong traces: unlikelihood, two LoRAs with their units, and one LoRA that these teach."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
from models import VERDICT_MERGES, make_adapter, make_model
from typer.testing import CliRunner

from distill.examples import Asked, TokenRow, batches_of, reply_rows
from distill.lessons import reply_lessons
from distill.natstudent import NatStudent, negative_of
from distill.negatives.losses import LEAST, betas, divergences, nce_loss, signed_loss, unlikelihood
from distill.negatives.taught import Taught
from distill.ranker import train_ranker
from distill.recipe import recipe_of, recipe_to_json
from distill.replying import ReplyTraining
from distill.rows import WRONG, Row, read_rows, write_rows
from distill.rowstage import train_rows
from distill.student import Lora, Student, batch_of
from distill.train import Training
from distill.wrongtraining import NceTraining, UnlikelihoodTraining
from judge.backends import Sampling, Settings, load_backend
from judge.backends.embedded import EmbeddedBackend
from judge.backends.integration import WIDTH, integrated, load_units, nat_model, negative_weight, new_unit
from judge.backends.loaded import read_model
from judge.backends.openai_server import adapter_name
from judge.backends.vllm_engine import _Loaded
from judge.cli.main import app
from judge.errors import BadLines, InputError, JudgeError, ModelError
from judge.models.adapters import FILES, NAT_FILES, read_adapter, write_manifest
from judge.progress import silent

torch = pytest.importorskip("torch")
load_file, save_file = (
    getattr(pytest.importorskip("safetensors.torch"), name) for name in ("load_file", "save_file")
)

SETTINGS = {
    "epochs": 40,
    "learning_rate": 0.01,
    "accumulate": 1,
    "batch_tokens": 64,
    "patience": 0,
    "evaluations": 2,
    "dtype": "float32",
    "device": "cpu",
}
QV = ["q_proj", "v_proj"]
RIGHT_ROWS = [Row.of(f"Say {word}!", word) for word in ("yes", "no", "four", "maybe so")]
WRONG_ROWS = [Row.of(f"Say {word}!", f"{word}? never", sign=WRONG) for word in ("yes", "no", "four")]


def complaint(action, kind: type[JudgeError] = ModelError) -> str:
    """The one line with which the action fails."""
    with pytest.raises(kind) as caught:
        action()
    assert "\n" not in str(caught.value)
    return str(caught.value)


# --- losses, by hand -------------------------------------------------------------------------------------


def test_a_right_token_costs_minus_log_p_and_a_wrong_one_minus_log_of_the_rest():
    own = torch.tensor([0.5, 0.9, 0.5, 0.75]).log()
    found = signed_loss(own, torch.tensor([False, False, True, True]))
    assert found.tolist() == pytest.approx([0.693147, 0.105361, 0.693147, 1.386294], rel=1e-5)


def test_a_wrong_token_that_is_certain_costs_no_more_than_the_bound_and_its_gradient_is_a_number():
    own = torch.tensor([0.0, -1e-9, math.log(0.5)], requires_grad=True)
    found = unlikelihood(own)
    assert found.tolist()[:2] == pytest.approx([-math.log(LEAST)] * 2)
    found.sum().backward()
    assert own.grad.tolist() == pytest.approx([0.0, 0.0, 1.0])  # d/dlog p of -log(1 - p) is p / (1 - p)


def test_beta_is_the_hyperbolic_tangent_of_the_mean_divergence_of_a_rows_tokens():
    negative = torch.tensor([[0.5, 0.5], [0.9, 0.1], [0.25, 0.75]]).log()
    nat = torch.tensor([[0.5, 0.5], [0.1, 0.9], [0.5, 0.5]]).log()
    # 0.9 log 9 + 0.1 log(1/9) = 0.8 * 2.197225; 0.25 log 0.5 + 0.75 log 1.5 = -0.173287 + 0.304099
    assert divergences(negative, nat).tolist() == pytest.approx([0.0, 1.757780, 0.130812], rel=1e-5)
    found = betas(divergences(negative, nat), [2, 1])
    assert found.tolist() == pytest.approx([math.tanh(0.878890), math.tanh(0.130812)], rel=1e-5)


def test_nce_weighs_the_teacher_by_beta():
    found = nce_loss(torch.tensor([2.0, 2.0]), torch.tensor([1.0, 3.0]), torch.tensor([0.0, 0.7]))
    assert found.tolist() == pytest.approx([1.0 + 0.25, 1.0 + 0.5 * 1.2 * 3.0])


# --- a layer with its unit -------------------------------------------------------------------------------


def reference(x, y, positive, negative, query, key, down, up):
    """The equations, one token at a time, with softmax and both values written out."""
    outputs = []
    for token, plain, of_pos, of_neg in zip(x, y, positive, negative, strict=True):
        h = [plain + of_pos, plain + of_neg]
        scores = torch.stack([(query @ token) @ (key @ one) for one in h])
        weights = torch.softmax(scores, 0) + torch.tensor([0.5, -0.5], dtype=x.dtype)
        values = [up @ torch.nn.functional.gelu(down @ one) for one in h]
        outputs.append(plain + weights[0] * values[0] + weights[1] * values[1])
    return torch.stack(outputs)


@pytest.fixture
def parts():
    """Input, own output, both LoRAs' outputs and a unit's four matrices, float64, none of them zero."""
    dice = torch.Generator().manual_seed(3)
    shapes = {"x": (5, 6), "y": (5, 4), "positive": (5, 4), "negative": (5, 4)}
    shapes |= {"query": (WIDTH, 6), "key": (WIDTH, 4), "down": (128, 4), "up": (4, 128)}
    return {
        name: (0.3 * torch.randn(shape, generator=dice, dtype=torch.float64)).requires_grad_()
        for name, shape in shapes.items()
    }


def unit_of(parts):
    return {name: parts[name] for name in ("query", "key", "down", "up")}


def test_a_layer_with_its_unit_and_all_its_gradients_are_those_of_the_equations(parts):
    x, y, positive, negative = (parts[name] for name in ("x", "y", "positive", "negative"))
    found = integrated(x, y, positive, negative, unit_of(parts))
    expected = reference(**parts)
    assert torch.allclose(found, expected, rtol=1e-10)
    assert not torch.allclose(found, y)
    ours = torch.autograd.grad(found.square().sum(), list(parts.values()))
    theirs = torch.autograd.grad(expected.square().sum(), list(parts.values()))
    for name, one, other in zip(parts, ours, theirs, strict=True):
        assert other.abs().max() > 0, name
        assert torch.allclose(one, other, rtol=1e-8, atol=1e-12), name


def test_the_weight_of_the_negative_lies_between_minus_a_half_and_a_half(parts):
    unit = unit_of(parts)
    alike = negative_weight(parts["x"], torch.zeros(5, 4, dtype=torch.float64), unit)
    assert alike.shape == (5, 1)
    assert alike.abs().max() == 0  # both say the same, so neither is preferred
    far = negative_weight(1e4 * parts["x"], parts["negative"] - parts["positive"], unit)
    assert far.abs().max().item() == pytest.approx(0.5)
    assert far.min() < 0 < far.max()


def test_a_new_unit_changes_nothing_and_has_the_published_widths(parts):
    unit = new_unit(6, 4, dtype=torch.float64)
    assert {name: tuple(one.shape) for name, one in unit.items()} == {
        "query": (128, 6),
        "key": (128, 4),
        "down": (128, 4),
        "up": (4, 128),
    }
    x, y, positive, negative = (parts[name] for name in ("x", "y", "positive", "negative"))
    assert torch.equal(integrated(x, y, positive, negative, unit), y)
    assert all(one.abs().max() > 0 for name, one in unit.items() if name != "up")


# --- rows with a sign, and recipes -----------------------------------------------------------------------


def test_rows_keep_their_sign_and_a_right_row_is_written_as_before(tmp_path):
    rows = [Row.of("2+2?", "4"), Row.of("2+2?", "5", 0.5, WRONG)]
    write_rows(tmp_path / "rows.jsonl", rows)
    assert read_rows(tmp_path / "rows.jsonl") == rows
    lines = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text("utf-8").splitlines()]
    assert [line.get("sign") for line in lines] == [None, -1]
    assert Row.of("2+2?", "5").content_hash != Row.of("2+2?", "5", sign=WRONG).content_hash
    with pytest.raises(ValueError, match="the sign is 0, not 1 or -1"):
        Row.of("2+2?", "5", sign=0)


@pytest.mark.parametrize("sign", [0, True, "wrong", 2, [1]])
def test_a_sign_that_is_none_is_named_with_what_is_right(tmp_path, sign):
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"prompt": "a", "reply": "b", "sign": sign}), encoding="utf-8")
    with pytest.raises(BadLines, match=r"rows.jsonl:1: sign is .* It must be 1 of a right reply, -1 of a"):
        read_rows(path)


def recipe(method: str, path: Path | str = "rows.jsonl", **train):
    values = {"name": "mine", "select": {"held_out": 0.0}, "train": {"method": method, "rows": str(path)}}
    values["train"] |= train
    return recipe_of(values, "here")


def test_nat_and_nce_have_the_published_sizes_unless_a_recipe_says_otherwise():
    for train in (recipe("nat", negative="n").train, recipe("nce", nat="n").train):
        assert (train.rank, train.alpha, train.dropout) == (8, 16, 0.05)
    assert recipe("nat", negative="n", rank=4).train.rank == 4
    on = recipe("nce", nat="n", start_from="m").train
    assert not {"rank", "alpha"} & on.model_fields_set, "it has the shape of what it goes on from"
    assert on.dropout == 0.05
    assert (recipe("reply").train.rank, recipe("reply").train.dropout) == (16, 0.0)
    made = recipe("nat", negative="n")
    assert recipe_of(recipe_to_json(made), "again") == made


def test_what_only_these_methods_read_is_not_in_the_recipes_of_others():
    assert not {"negative", "nat", "modules"} & recipe_to_json(recipe("reply"))["train"].keys()
    assert recipe_to_json(recipe("reply", modules=QV))["train"]["modules"] == QV
    assert "layers" not in recipe_to_json(recipe("nat", negative="n"))["train"]


@pytest.mark.parametrize(
    ("method", "train", "problem"),
    [
        ("nat", {}, "train.negative: the folder of an adapter that learned wrong traces and method "),
        ("nce", {}, "train.nat: the folder of an adapter of method nat and method nce need each other"),
        ("reply", {"negative": "n"}, "train.negative: the folder of an adapter that learned wrong traces"),
        ("nat", {"negative": "n", "nat": "m"}, "train.nat: the folder of an adapter of method nat"),
        (
            "nat",
            {"negative": "n", "layers": 1.0},
            "train.layers: a positive LoRA lies where its negative one",
        ),
        ("nat", {"negative": "n", "modules": QV}, "train.layers: a positive LoRA lies where its negative"),
        ("nat", {"negative": "n", "start_from": "m"}, "train.start_from: a positive LoRA and its units are"),
        ("unlikelihood", {"contrast": 1.0}, "train.symmetry: only verdicts alone have a mirror image"),
        (
            "unlikelihood",
            {"rows": ""},
            "train.rows: a file of rows and method reply, unlikelihood, ",
        ),
        ("reply", {"modules": ["q"]}, "train.modules.0: Input should be 'q_proj', 'k_proj', "),
    ],
)
def test_a_mistake_in_a_recipe_is_one_line_that_says_what_is_right(method, train, problem):
    with pytest.raises(BadLines) as caught:
        recipe(method, **train)
    assert [one for one in caught.value.problems if one.startswith(f"here: {problem}")]


def test_signs_that_a_method_does_not_take_are_refused(tmp_path):
    path = tmp_path / "rows.jsonl"
    write_rows(path, [*RIGHT_ROWS, *WRONG_ROWS])
    for method, other in (("nat", {"negative": "n"}), ("nce", {"nat": "n"})):
        made = recipe(method, path, **other)
        said = complaint(lambda made=made: reply_lessons(made), InputError)
        assert f"{path}: 3 of 7 rows have sign -1. Method {method} learns right rows" in said
    assert len(reply_lessons(recipe("unlikelihood", path)).trained) == 7
    assert len(reply_lessons(recipe("reply", path)).trained) == 7  # both kinds alike: the baseline MIX
    for rows, n in ((RIGHT_ROWS, 0), (WRONG_ROWS, 3)):
        write_rows(path, rows)
        said = complaint(lambda: reply_lessons(recipe("unlikelihood", path)), InputError)
        assert f"{path}: {n} of {len(rows)} rows to train on have sign -1. Method unlikelihood needs" in said


def test_what_the_nat_model_says_is_timed_as_done_once_and_not_as_a_part_of_each_step(tmp_path, monkeypatch):
    now = [0.0]

    def compute(self, batch):
        now[0] += 100.0
        self._path(batch).parent.mkdir(exist_ok=True)
        save_file({name: torch.zeros(1) for name in ("words", "probabilities", "beta")}, self._path(batch))

    def losses(self, batch):
        now[0] += 1.0
        self.taught.of(batch)
        loss = self.student.parameters["w"].sum()
        return loss, loss

    monkeypatch.setattr(Taught, "_compute", compute)
    monkeypatch.setattr(NceTraining, "_losses", losses)
    student = SimpleNamespace(
        parameters={"w": torch.zeros(1, requires_grad=True)}, adapted=torch.nn.Identity(), n_frozen=0
    )
    rows = [[TokenRow(example=n, ids=(n, 1, 2), targets=(1, 2), is_trimmed=False)] for n in range(5)]
    training = NceTraining(
        student, rows, [], recipe("nce", nat="n").train, 0, tmp_path, "k", lambda: now[0], teacher=Settings()
    )
    n_tokens = training.batches[0].n_tokens
    assert training.measured() == (100.0 / n_tokens, 1.0 / n_tokens)


# --- students --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return make_model(tmp_path_factory.mktemp("models") / "tiny", VERDICT_MERGES)


def trained(tiny, folder: Path, rows=RIGHT_ROWS, **settings):
    """The folder of the adapter that `train_rows` makes."""
    arguments = {"base_model": str(tiny), "held_out": 0.0, **SETTINGS, **settings}
    train_rows(rows, folder, **arguments)
    return folder / "adapter"


@pytest.fixture(scope="module")
def negative(tiny, tmp_path_factory):
    """An adapter that learned the wrong traces, on q and v of both layers."""
    rows = [Row.of(row.messages[0].content, row.reply) for row in WRONG_ROWS]
    return trained(tiny, tmp_path_factory.mktemp("negative"), rows, layers=1.0, modules=QV, epochs=10)


@pytest.fixture(scope="module")
def nat(tiny, negative, tmp_path_factory):
    return trained(tiny, tmp_path_factory.mktemp("nat"), method="nat", negative=str(negative))


def training_of(student, rows, folder, kind=ReplyTraining, **named) -> Training:
    train = recipe("reply", **SETTINGS).train
    asked = [
        Asked(n, row.prompt, row.reply, row.weight, row.sign == WRONG and kind is UnlikelihoodTraining)
        for n, row in enumerate(rows)
    ]
    batches = batches_of(reply_rows(asked, student.encoder, student.end_of_turn), 4096)
    return kind(student, batches, batches, train, 0, folder, "k", **named)


def nat_student(tiny, negative) -> NatStudent:
    return NatStudent(read_adapter(negative), str(tiny), Lora(4, 8), 2048, "cpu", "float32", seed=3)


@pytest.mark.slow
def test_the_modules_that_are_named_get_lora_and_one_that_is_not_there_is_refused(tiny):
    student = Student(str(tiny), Lora(4, 8, 0.5, modules=tuple(QV)), 2048, "cpu", "float32")
    assert student.shape["modules"] == QV
    assert len(student.parameters) == 2 * len(QV)
    said = complaint(lambda: Student(str(tiny), Lora(4, 8, 0.5, modules=("q_proj", "qkv")), 2048, "cpu"))
    assert said == "tiny: not built of layers with q_proj, qkv, so it cannot be a student."


@pytest.mark.slow
def test_the_loss_of_signed_rows_is_that_of_each_of_their_tokens(tiny, tmp_path):
    student = Student(str(tiny), Lora(4, 8, 0.5), 2048, "cpu", "float32", seed=3)
    rows = [RIGHT_ROWS[0], Row.of("Say no!", "never", 2.0, WRONG)]
    training = training_of(student, rows, tmp_path, UnlikelihoodTraining)
    [batch] = training.batches
    training.lower.prepare([batch], silent)
    loss, a_token = training._losses(batch)
    student.model.set_attn_implementation("sdpa")
    total = means = 0.0
    for row in batch.rows:
        logits = student.model(torch.tensor([row.ids])).logits[0, row.first_place :].double()
        p = logits.softmax(1).gather(1, torch.tensor(row.targets)[:, None])[:, 0]
        own = row.weight * (-(1 - p).log() if row.is_wrong else -p.log()).sum().item()
        total, means = total + own, means + own / len(row.targets)
    assert loss.item() == pytest.approx(total, rel=1e-4)
    assert a_token.item() == pytest.approx(means, rel=1e-4)
    look = training.look(0)
    assert look.agreement.total == 1  # a reply that shall not be given is not compared
    assert look.inconsistent.total == 2


@pytest.mark.slow
def test_unlikelihood_makes_right_replies_likelier_and_wrong_ones_less_likely(tiny, tmp_path):
    rows = [*RIGHT_ROWS[:2], Row.of("Say yes!", "no", sign=WRONG)]
    adapter = trained(tiny, tmp_path / "run", rows, method="unlikelihood", layers=1.0)
    asked = [(row.prompt, row.reply) for row in rows]
    plain, taught = (
        [total for total, _ in one.log_likelihoods(asked, 64)]
        for one in (backend_of(tiny), backend_of(tiny, adapter))
    )
    assert taught[0] > max(plain[0], -0.5)
    assert taught[1] > max(plain[1], -0.5)
    assert taught[2] < taught[0] - 2
    assert read_adapter(adapter).manifest["data"]["train"][2] == rows[2].content_hash


def backend_of(tiny, adapter: Path | str = "") -> EmbeddedBackend:
    return EmbeddedBackend(Settings(str(tiny), adapter=str(adapter), dtype="float32", device="cpu"))


@pytest.mark.slow
def test_a_step_changes_the_positive_lora_and_the_units_and_nothing_else(tiny, negative, tmp_path):
    student = nat_student(tiny, negative)
    before = {name: one.detach().clone() for name, one in student.adapted.state_dict().items()}
    training = training_of(student, RIGHT_ROWS, tmp_path)
    training.lower.prepare(training.used, silent)
    for number in (1, 2, 3):  # lora_B and `up` begin at zero, so lora_A follows in the third
        training.step(number)
    after = student.adapted.state_dict()
    changed = {name for name, one in after.items() if not torch.equal(one, before[name])}
    assert changed == {name for name in before if ".positive." in name or ".unit." in name}
    assert changed
    still = [one for name, one in student.adapted.named_parameters() if name not in changed]
    assert still
    assert all(one.grad is None and not one.requires_grad for one in still)


@pytest.mark.slow
def test_packed_rows_and_each_row_alone_have_the_same_logits_in_a_student_of_two_loras(tiny, negative):
    student = nat_student(tiny, negative)
    spread(student)
    prompt = Row.of("Say whatever comes to your mind!", "yes").prompt
    asked = [Asked(n, prompt, row.reply) for n, row in enumerate(RIGHT_ROWS)]
    batch = batch_of(reply_rows(asked, student.encoder, student.end_of_turn))
    assert len(batch.packing.ids) < batch.n_tokens  # the prompt stands once
    found = student.upper(batch, student.lower(batch.packing)) @ student.head.T
    student.model.set_attn_implementation("sdpa")
    alone = [student.model(torch.tensor([row.ids])).logits[0, row.first_place :] for row in batch.rows]
    assert torch.allclose(found, torch.cat(alone), atol=1e-3)


def spread(student: Student) -> None:
    dice = torch.Generator().manual_seed(5)
    student.load(
        {name: 0.2 * torch.randn(one.shape, generator=dice) for name, one in student.parameters.items()}
    )


@pytest.mark.gpu
def test_on_a_gpu_logits_and_gradients_of_two_loras_are_those_of_the_cpu(tiny, negative):
    found = []
    for device in ("cpu", "cuda"):
        student = NatStudent(read_adapter(negative), str(tiny), Lora(4, 8), 2048, device, "float32")
        spread(student)
        asked = [Asked(n, row.prompt, row.reply) for n, row in enumerate(RIGHT_ROWS)]
        batch = batch_of(reply_rows(asked, student.encoder, student.end_of_turn))
        logits = student.upper(batch, student.lower(batch.packing)) @ student.head.T
        logits.square().mean().backward()
        found.append([logits.detach().cpu(), *(one.grad.cpu() for one in student.parameters.values())])
    for on_cpu, on_gpu in zip(*found, strict=True):
        assert torch.allclose(on_cpu, on_gpu, rtol=1e-2, atol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_saved_adapter_says_what_the_student_said(tiny, negative, tmp_path, dtype):
    found = train_rows(
        RIGHT_ROWS,
        tmp_path,
        method="nat",
        base_model=str(tiny),
        held_out=0.0,
        negative=str(negative),
        **SETTINGS | {"dtype": dtype, "epochs": 20},
    )
    assert found["loaded_difference"] < (1e-4 if dtype == "float32" else 0.01)
    assert found["metrics"]["letter_loss"] < 1.0


@pytest.mark.slow
def test_two_loras_learn_what_the_rows_say_and_generate_it(tiny, nat):
    backend = load_backend("embedded", Settings(str(tiny), adapter=str(nat), dtype="float32", device="cpu"))
    prompts = [row.prompt for row in RIGHT_ROWS]
    for sampling in (Sampling(max_new_tokens=16), Sampling(16, temperature=0.05, seed=1)):
        replies = backend.complete(prompts, sampling)
        assert [reply.text for reply in replies] == [row.reply for row in RIGHT_ROWS]
    model = backend._model()
    sequences = sorted(one.ids for one in backend.encode(prompts))
    packed, _ = model.choice_logits(sequences, [40, 41, 42])
    assert model.can_pack
    assert torch.allclose(packed, model.plain_logits(sequences, [40, 41, 42]), atol=1e-3)
    adapter = read_adapter(nat)
    assert backend.engine.adapter_hash == adapter.hash
    manifest = adapter.manifest
    assert (manifest["method"], manifest["targets"]) == ("nat", "replies")
    assert manifest["files"].keys() == set(NAT_FILES)
    assert manifest["lora"]["modules"] == sorted(QV)
    assert manifest["units"]["number"] == 4  # q and v of two layers
    assert manifest["metrics"]["letter_loss"] < 0.1


@pytest.mark.slow
def test_each_lora_of_the_folder_loads_in_peft_and_the_negative_is_the_one_that_was_named(nat, negative):
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        assert (nat / "negative" / name).read_bytes() == (negative / name).read_bytes()
    peft = pytest.importorskip("peft")
    for part, rank in (("positive", 8), ("negative", 16)):
        assert peft.PeftConfig.from_pretrained(str(nat / part)).r == rank


@pytest.mark.slow
@pytest.mark.parametrize("method", ["nat", "nce", "unlikelihood"])
def test_a_killed_training_ends_with_the_weights_of_a_whole_one(tiny, negative, nat, tmp_path, method):
    other = {"nat": {"negative": str(negative)}, "nce": {"nat": str(nat)}}.get(method, {})
    settings = {"method": method, **other, "epochs": 6, "evaluations": 6}

    class Killed(BaseException):
        pass

    def kill(stage, done, total):
        if stage.startswith("training") and done == total - 1:
            raise Killed

    signs = (WRONG if method == "unlikelihood" and n % 3 == 0 else 1 for n in range(9))
    rows = [Row.of(f"Question {n}?", f"answer {n}", sign=sign) for n, sign in enumerate(signs)]
    with pytest.raises(Killed):
        trained(tiny, tmp_path / "killed", rows, held_out=0.4, progress=kill, **settings)
    assert not (tmp_path / "killed" / "adapter").exists()
    killed = trained(tiny, tmp_path / "killed", rows, held_out=0.4, **settings)
    whole = trained(tiny, tmp_path / "whole", rows, held_out=0.4, **settings)
    names = NAT_FILES if method == "nat" else FILES
    assert all((killed / name).read_bytes() == (whole / name).read_bytes() for name in names)
    assert read_adapter(killed).hash == read_adapter(whole).hash


# --- one LoRA taught by two ------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_teacher_says_the_models_probabilities_and_how_far_the_negative_is_from_them(tiny, nat, tmp_path):
    student = Student(str(tiny), Lora(4, 8, 0.5), 2048, "cpu", "float32", seed=3)
    settings = Settings(str(tiny), adapter=str(nat), dtype="float32", device="cpu")
    training = training_of(student, RIGHT_ROWS, tmp_path, NceTraining, teacher=settings)
    [batch] = training.batches
    lesson = training.taught.of(batch)
    assert torch.allclose(lesson.probabilities.sum(dim=1), torch.ones(len(lesson.words)))
    logs = []
    for adapter in (nat, tmp_path / "alone"):
        if adapter != nat:  # the negative LoRA by itself, as peft reads it
            make_plain(nat / "negative", adapter, nat)
        model = backend_of(tiny, adapter)._model()
        logs.append([model.model(torch.tensor([row.ids])).logits[0, row.first_place :] for row in batch.rows])
    of_nat, of_negative = ([one.detach().double().log_softmax(1) for one in some] for some in logs)
    for row, beta in enumerate(lesson.beta.tolist()):
        kl = (of_negative[row].exp() * (of_negative[row] - of_nat[row])).sum(1).mean().item()
        assert beta == pytest.approx(math.tanh(kl), rel=1e-3, abs=1e-4)
    assert 0.05 < lesson.beta.max() <= 1
    top = torch.cat(of_nat).topk(64)
    assert torch.allclose(lesson.probabilities.double(), top.values.softmax(1), atol=1e-4)
    training.lower.prepare([batch], silent)
    loss, a_token = training._losses(batch)
    student.model.set_attn_implementation("sdpa")
    total = 0.0
    for row, said, beta in zip(
        batch.rows, torch.split(lesson.words, batch.lengths), lesson.beta, strict=True
    ):
        logs_of = student.model(torch.tensor([row.ids])).logits[0, row.first_place :].double().log_softmax(1)
        ce = -logs_of.gather(1, torch.tensor(row.targets)[:, None]).sum()
        own = of_nat[batch.rows.index(row)].gather(1, said).softmax(1)
        total += 0.5 * ce - 0.5 * (0.5 + beta) * (own * logs_of.gather(1, said)).sum()
    assert loss.item() == pytest.approx(total.item(), rel=1e-3)
    assert a_token.item() > 0


def make_plain(lora: Path, folder: Path, like: Path) -> None:
    """An adapter of one LoRA's two files, with the manifest of another adapter for the same base model."""
    shutil.copytree(lora, folder)
    values = dict(read_adapter(like).manifest)
    for key in ("method", "files", "schema"):
        del values[key]
    write_manifest(folder, values)


@pytest.mark.slow
def test_what_the_teacher_says_is_kept_and_it_is_loaded_once(tiny, nat, tmp_path, monkeypatch):
    settings = Settings(str(tiny), adapter=str(nat), dtype="float32", device="cpu")
    student = Student(str(tiny), Lora(4, 8, 0.5), 2048, "cpu", "float32", seed=3)
    training = training_of(student, RIGHT_ROWS, tmp_path, NceTraining, teacher=settings)
    training.taught.prepare(training.used, silent)
    first = training.taught.of(training.used[0])
    monkeypatch.setattr("distill.negatives.taught.Teacher", None)  # asked again, it would fail
    again = Taught(settings, tmp_path / "taught", "k")
    again.prepare(training.used, silent)
    assert torch.equal(again.of(training.used[0]).probabilities, first.probabilities)
    with pytest.raises(TypeError):
        Taught(settings, tmp_path / "taught", "other").of(training.used[0])


@pytest.mark.slow
def test_a_student_of_nce_is_an_ordinary_adapter_that_replies_as_the_rows_say(tiny, nat, tmp_path):
    said = []
    adapter = trained(
        tiny,
        tmp_path,
        method="nce",
        nat=str(nat),
        layers=1.0,
        dropout=0.0,
        progress=lambda stage, *_: said.append(stage),
    )
    assert any(stage.startswith("the nat model reads") for stage in said)
    assert sorted(path.name for path in adapter.iterdir()) == [
        "adapter_config.json",
        "adapter_model.safetensors",
        "manifest.json",
    ]
    replies = backend_of(tiny, adapter).complete([row.prompt for row in RIGHT_ROWS], Sampling(16))
    assert [reply.text for reply in replies] == [row.reply for row in RIGHT_ROWS]
    assert not (tmp_path / "training").exists()
    inputs = json.loads((tmp_path / "train.json").read_text("utf-8"))["inputs"]
    assert inputs["nat"] == read_adapter(nat).hash


# --- what does not fit -----------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_negative_adapter_must_be_of_this_base_model_of_one_lora_and_no_judge(
    tiny, negative, nat, tmp_path
):
    other = make_model(tmp_path / "other", VERDICT_MERGES, hidden_size=32)
    arguments = {"method": "nat", "held_out": 0.0, **SETTINGS}
    said = complaint(
        lambda: train_rows(
            RIGHT_ROWS, tmp_path / "a", base_model=str(other), negative=str(negative), **arguments
        )
    )
    assert "made for the base model tiny" in said
    said = complaint(
        lambda: train_rows(RIGHT_ROWS, tmp_path / "b", base_model=str(tiny), negative=str(nat), **arguments)
    )
    assert "train.negative takes a single LoRA" in said
    judging = make_adapter(tiny, tmp_path / "judging")
    said = complaint(
        lambda: negative_of(recipe("nat", negative=str(judging), base_model=str(tiny))), InputError
    )
    assert "train.negative: this adapter has learned to judge" in said
    manifest = json.loads((judging / "manifest.json").read_text("utf-8"))
    manifest["settings"] = {"train": {"method": "reply"}}
    (judging / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    assert negative_of(recipe("nat", negative=str(judging), base_model=str(tiny))), "it learned workings"
    ranker = train_ranker(
        RIGHT_ROWS,
        WRONG_ROWS,
        tmp_path / "ranked",
        base_model=str(tiny),
        held_out=0.0,
        **SETTINGS | {"epochs": 1},
    )
    assert ranker
    said = complaint(
        lambda: negative_of(
            recipe("nat", negative=str(tmp_path / "ranked" / "ranker"), base_model=str(tiny))
        ),
        InputError,
    )
    assert "train.negative: this adapter has learned to rank traces" in said
    said = complaint(lambda: trained(tiny, tmp_path / "c", method="nce", nat=str(negative)), InputError)
    assert said.endswith("train.nat: an adapter of one LoRA. Take one of method nat.")
    said = complaint(lambda: trained(tiny, tmp_path / "d", start_from=str(nat)))
    assert "train.start_from takes a single LoRA" in said


@pytest.mark.slow
@pytest.mark.parametrize("name", NAT_FILES)
def test_a_missing_or_changed_part_is_named(nat, tmp_path, name):
    folder = shutil.copytree(nat, tmp_path / "copy")
    before = read_adapter(folder).hash
    with (folder / name).open("ab") as file:
        file.write(b" ")
    assert f"{name} changed after the training" in complaint(lambda: read_adapter(folder))
    (folder / name).unlink()
    said = complaint(lambda: read_adapter(folder))
    assert f"no {name}. An adapter is a folder with positive/adapter_config.json, " in said
    shutil.copyfile(nat / name, folder / name)
    assert read_adapter(folder).hash == before


@pytest.mark.slow
def test_a_manifest_must_say_that_it_is_of_two_loras(nat, tmp_path):
    folder = shutil.copytree(nat, tmp_path / "copy")
    values = json.loads((folder / "manifest.json").read_text("utf-8"))
    for change in ({"files": values["files"] | {"units.safetensors": "0"}}, {"files": {}}):
        (folder / "manifest.json").write_text(json.dumps(values | change), encoding="utf-8")
        said = complaint(lambda: read_adapter(folder))
        assert "files: must be an object with the SHA-256 of each LoRA's two files and of the units" in said
    del values["method"]
    (folder / "manifest.json").write_text(json.dumps(values), encoding="utf-8")
    said = complaint(lambda: read_adapter(folder))
    assert "files: must be an object with the SHA-256 of adapter_config.json and adapter_model" in said


@pytest.mark.slow
def test_loras_and_units_of_other_layers_are_refused(tiny, negative, nat, tmp_path):
    student = nat_student(tiny, negative)
    units = load_file(nat / "units.safetensors")
    del units[sorted(units)[0]]
    save_file(units, tmp_path / "units.safetensors")
    said = complaint(lambda: load_units(student.adapted, tmp_path / "units.safetensors"))
    assert "these units belong to other layers" in said
    folder = shutil.copytree(nat, tmp_path / "mixed")
    shutil.rmtree(folder / "negative")
    make_adapter(tiny, folder / "negative")  # changes down_proj too
    _, base = read_model(tiny, "cpu", "float32")
    said = complaint(lambda: nat_model(base, folder))
    assert "changes other layers than the positive LoRA, for example base_model.model.model.layers.0." in said


@pytest.mark.slow
def test_what_runs_a_single_lora_refuses_two_in_one_line(tiny, nat):
    settings = Settings(str(tiny), adapter=str(nat), dtype="float32", device="cpu")
    expected = "takes a single LoRA, and this adapter of method nat is two and the units that weigh them."
    assert f"vLLM {expected}" in complaint(lambda: _Loaded(settings, "cpu", "float32"))
    assert f"a server {expected}" in complaint(lambda: adapter_name(settings))
    assert f"merging {expected}" in complaint(lambda: EmbeddedBackend(settings, is_merged=True).load())


@pytest.mark.slow
def test_the_command_line_shows_the_parts_and_lists_the_folder_once(tiny, nat, negative):
    shown = CliRunner().invoke(app, ["adapters", "show", str(nat)], env={"COLUMNS": "300"})
    assert shown.exit_code == 0, shown.output
    lines = {line[:13].strip(): " ".join(line[13:].split()) for line in shown.output.splitlines()}
    said = "rank {}, alpha {}, layers 0 1, modules q_proj v_proj, 0.0{} MB"
    assert lines["Positive LoRA"] == said.format(8, 16, 2)
    made = f"rows, hash {read_adapter(negative).hash[:12]}, "
    assert lines["Negative LoRA"] == made + said.format(16, 32, 3)
    n = 2 * (128 * (64 + 3 * 64) + 128 * (64 + 3 * 32))  # two layers; q is 64 to 64, v is 64 to 32
    assert lines["Units"].startswith(f"number 4, width 128, bottleneck 128, weights {n}, 0.4")
    assert "LoRA" not in lines
    listed = CliRunner().invoke(app, ["adapters", "list", str(nat.parent)]).output
    assert listed.count("\n") == 1
    assert "does not load" not in listed
    checked = CliRunner().invoke(
        app, ["adapters", "verify", str(nat), "--base-model", str(tiny), "--dtype", "float32"]
    )
    assert checked.exit_code == 0, checked.output
    assert "merged: never, as its units weigh the two LoRAs anew at every token" in checked.output

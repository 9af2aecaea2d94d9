"""What the machine computes with, read from made-up descriptions of it."""

from __future__ import annotations

import pytest

from judge import hardware

LAPTOP = "processor\t: 0\nmodel name\t: Some Laptop CPU\nflags\t\t: fpu sse4_2 avx2 avx_vnni\n"
SERVER = (
    "processor\t: 0\nmodel name\t: Some Server CPU\nflags\t\t: avx2 avx512f avx512_bf16 amx_bf16 amx_int8\n"
)
AMD = "vendor_id\t: AuthenticAMD\nmodel name\t: Some EPYC\nflags\t\t: avx2 avx512f avx512_bf16\n"
INTEL = "vendor_id\t: GenuineIntel\nmodel name\t: Some Xeon\nflags\t\t: avx2 avx512f avx512_bf16 amx_bf16\n"
INTEL_WITHOUT_AMX = INTEL.replace(" amx_bf16", "")
ARM = "processor\t: 0\nBogoMIPS\t: 2000.00\nFeatures\t: fp asimd bf16 i8mm\n"


@pytest.fixture
def machine(tmp_path, monkeypatch):
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)

    def made(text: str) -> None:
        path = tmp_path / "cpuinfo"
        path.write_text(text, encoding="utf-8")
        monkeypatch.setattr(hardware, "CPU_INFO", path)

    return made


@pytest.mark.parametrize(
    ("text", "sets", "bfloat16"),
    [
        (LAPTOP, ("avx2", "avx_vnni"), False),
        (SERVER, ("avx2", "avx512f", "avx512_bf16", "amx_int8", "amx_bf16"), True),
        (ARM, ("bf16", "i8mm"), True),
        ("", (), False),
    ],
)
def test_the_instruction_sets_that_matter_are_named(machine, text, sets, bfloat16):
    machine(text)
    assert hardware.instruction_sets() == sets
    assert hardware.is_quickest_in_bfloat16() is bfloat16


@pytest.mark.parametrize(
    ("highest", "sets"),
    [
        ("avx2", ("avx2",)),
        ("AVX512_CORE", ("avx2", "avx512f")),
        ("AVX512_CORE_BF16", ("avx2", "avx512f", "avx512_bf16")),
        ("AVX512_CORE_AMX", ("avx2", "avx512f", "avx512_bf16", "amx_int8", "amx_bf16")),
        ("ALL", ("avx2", "avx512f", "avx512_bf16", "amx_int8", "amx_bf16")),
    ],
)
def test_what_onednn_may_not_use_is_not_there(machine, monkeypatch, highest, sets):
    machine(SERVER)
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", highest)
    assert hardware.instruction_sets() == sets
    assert hardware.is_quickest_in_bfloat16() is ("avx512_bf16" in sets)


@pytest.mark.parametrize(
    ("text", "highest", "is_quickest"),
    [
        (AMD, "", True),
        (INTEL, "", True),
        (INTEL_WITHOUT_AMX, "", False),
        (INTEL, "AVX512_CORE_BF16", False),
        (AMD, "AVX512_CORE_BF16", True),
        (AMD, "AVX2", False),
    ],
)
def test_intel_multiplies_bfloat16_faster_with_amx_alone(machine, monkeypatch, text, highest, is_quickest):
    machine(text)
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", highest)
    assert hardware.is_quickest_in_bfloat16() is is_quickest


def test_the_cpu_is_named(machine):
    machine(SERVER)
    assert hardware.cpu_name() == "Some Server CPU"
    machine(ARM)
    assert isinstance(hardware.cpu_name(), str)


def test_without_a_description_nothing_is_claimed(monkeypatch, tmp_path):
    monkeypatch.setattr(hardware, "CPU_INFO", tmp_path / "none")
    assert hardware.instruction_sets() == ()
    assert not hardware.is_quickest_in_bfloat16()

"""Where a lease keeps things: weights, data, what is on the way, and what is to be brought home."""

from __future__ import annotations

import json
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from judge.io.writing import write_whole
from judge.provenance import provenance

LARGEST = 15_000_000
"""Bytes of one file in the folder to be brought home."""


@dataclass(frozen=True, slots=True)
class Place:
    """The folders and the settings of a lease.

    Args:
        data: local copies of the data sets. out: what is brought home. work: what stays on the device.
        small, large: the base models of the students and of the teacher.
        n_pairs: of each data set that is measured on at most; None is all.
        n_taught: of each source of pairs that teach at most.
        ends_at: when the time is up, by `clock`.
    """

    data: Path
    out: Path
    work: Path
    small: str
    large: str
    device: str
    n_pairs: int | None
    n_taught: int
    ends_at: float
    clock: Callable[[], float] = time.monotonic

    @property
    def ledger(self) -> Path:
        return self.work / "ledger.sqlite"

    @property
    def left_s(self) -> float:
        """Seconds until the time is up."""
        return self.ends_at - self.clock()

    def report(self, name: str, found: Mapping[str, Any]) -> None:
        """Writes what a step found, with what it was made by, to `out/NAME.json`."""
        text = json.dumps({**found, "made_by": provenance()}, indent=1, ensure_ascii=False)
        write_whole(self.out / f"{name}.json", text + "\n", parents=True)

    def has(self, name: str) -> bool:
        return (self.out / f"{name}.json").is_file()

    def read(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.out / f"{name}.json").read_text("utf-8"))
        return found

    def bring(self, name: str, folder: Path) -> None:
        """Packs a folder into `out/NAME.tar`, in numbered parts where it is larger than one file may be."""
        self.out.mkdir(parents=True, exist_ok=True)
        whole = self.work / f"{name}.tar"
        with tarfile.open(whole, "w") as tar:
            for file in sorted(folder.rglob("*")):
                if file.is_file():
                    tar.add(file, f"{name}/{file.relative_to(folder)}")
        data = whole.read_bytes()
        whole.unlink()
        parts = [data[start : start + LARGEST] for start in range(0, len(data), LARGEST)]
        for number, part in enumerate(parts, start=1):
            suffix = f".{number}" if len(parts) > 1 else ""
            write_whole(self.out / f"{name}.tar{suffix}", part)


@contextmanager
def timed(name: str) -> Iterator[dict[str, Any]]:
    """Says when a step begins and how long it took; the seconds are put into what it yields."""
    found: dict[str, Any] = {}
    started = time.monotonic()
    print(f"[{time.strftime('%H:%M:%S')}] {name} ...", flush=True)
    yield found
    found["elapsed_s"] = time.monotonic() - started
    print(f"[{time.strftime('%H:%M:%S')}] {name}: {found['elapsed_s']:.1f} s", flush=True)

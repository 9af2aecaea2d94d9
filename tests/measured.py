"""What a command costs: its seconds of the processor, as other tests run beside it, and its peak memory."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

MEASURED = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(used.ru_utime + used.ru_stime, used.ru_maxrss)
sys.exit(code)
"""


def cost_of_judge(arguments: Sequence[str], folder: Path) -> tuple[float, float]:
    """Seconds of the processor and GiB of `judge` with these arguments, run in that folder."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, sys.executable, "-m", "judge", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    seconds, kib = map(float, done.stdout.split())
    return seconds, kib / 1024**2

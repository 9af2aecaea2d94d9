"""Judges with faults for tests on a real cluster of Ray, as another package would add them."""

from __future__ import annotations

from pathlib import Path

from plugins import make_package

FAULTY = '''
import os, signal, time
from pathlib import Path
from judge.backends.scripted import ScriptedBackend, longer

class Faulty(ScriptedBackend):
    """The longer answer wins; MARK in a pair does something to the process that reads it."""

    @classmethod
    def from_settings(cls, argument, settings):
        made = cls(longer, "scripted-longer")
        made.folder = Path(argument)
        return made

    def choose(self, prompts, choices):
        for prompt in prompts:
            text = "".join(span.text for _, spans in prompt.messages for span in spans)
            if "POISON" in text or ("DIES-ONCE" in text and self.is_first(prompt.name)):
                os.kill(os.getpid(), signal.SIGKILL)
            if "SLOW" in text:
                time.sleep(0.05)
        with (self.folder / "asked").open("a") as file:
            file.write("".join(f"{prompt.name}\\n" for prompt in prompts))
        return super().choose(prompts, choices)

    def is_first(self, name):
        try:
            (self.folder / name.replace("/", " ")).touch(exist_ok=False)
        except FileExistsError:
            return False
        return True
'''


def faulty_package(folder: Path) -> Path:
    """The package with the backend `faulty:FOLDER`, whose folder keeps what it was asked."""
    points = {"judge.backends": {"faulty": "faulty_judge:Faulty"}}
    return make_package(folder, "faulty-judge", {"faulty_judge.py": FAULTY}, points)

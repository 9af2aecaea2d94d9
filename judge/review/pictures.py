"""Pictures that answers name, from files of one folder; nothing is ever fetched."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from judge.errors import InputError
from judge.review.settings import below

LARGEST = 5_000_000
KINDS = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
}
"""How each kind of picture that is shown begins. SVG is none of them: it can hold scripts and addresses."""


@dataclass(frozen=True, slots=True)
class Pictures:
    """The pictures below `root`, named as seen from `folder`, which is in it."""

    root: Path
    folder: str = ""

    def __call__(self, address: str) -> str:
        """The data URI of the picture; "" if it is no picture of a file below the folder, or too large."""
        if ":" in address or address.startswith(("/", "\\", "#")):
            return ""
        try:
            path = below(self.root, str(Path(self.folder) / unquote(address)))
            if not path.is_file() or path.stat().st_size > LARGEST:
                return ""
            data = path.read_bytes()
        except (InputError, OSError, ValueError):  # ValueError: a name with a zero in it
            return ""
        kind = next((kind for start, kind in KINDS.items() if data.startswith(start)), "")
        if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
            kind = "image/webp"
        return f"data:{kind};base64,{base64.b64encode(data).decode()}" if kind else ""

"""Names that a model gave to a version's segments: segment_names.json beside the version's tables."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

FILE = "segment_names.json"


@dataclass(frozen=True, slots=True)
class GivenName:
    """A segment's name in both languages; `model` gave it, at `at` (ISO, UTC), asked by a prompt with the
    checksum `prompt`."""

    en: str
    zh: str
    model: str
    prompt: str
    at: str


def read(version: Path) -> dict[str, GivenName]:
    """Segment id -> name; empty where no model named any, or the file is damaged."""
    try:
        found = json.loads((version / FILE).read_text(encoding="utf-8"))
        return {str(key): GivenName(**{k: str(v) for k, v in name.items()}) for key, name in found.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def write(version: Path, names: Mapping[str, GivenName]) -> None:
    """Replace the file at once."""
    draft = version / f"{FILE}.partial"
    text = json.dumps({key: asdict(name) for key, name in names.items()}, ensure_ascii=False, indent=1)
    draft.write_text(text, encoding="utf-8")
    os.replace(draft, version / FILE)

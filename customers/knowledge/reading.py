"""Reads a shop's own knowledge: past inquiries, questions with answers for everybody, answer templates, policies.

CSV, JSON or JSON lines with columns by their usual names in English or Chinese, and the exports of two desks: Chatwoot
conversations (their `messages`) and Zendesk tickets (their `comments`). What a file holds is told by its columns:

    text + label (+ answer, customer, language, faq, rating)   past inquiries
    label + reply (+ language, human)                           answer templates
    key + en + zh                                               policies
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from customers.errors import BadInput
from customers.knowledge import starter
from customers.knowledge.values import Inquiry, Language, Loaded, Policy, Template, language_of
from customers.stores.notes import clean

MOST_CHARS = 2000
_BIGGEST = 256 * 2**20
_NAMES = {
    "text": ("text", "question", "inquiry", "message", "query", "utterance", "subject", "咨询", "问题", "内容", "客户问题"),
    "label": ("label", "intent", "category", "topic", "意图", "分类", "类别"),
    "answer": ("answer", "response", "回答", "答复", "客服回复"),
    "reply": ("reply", "template", "canned_response", "回复", "模板", "话术"),
    "language": ("language", "lang", "语言"),
    "customer": ("customer", "customer_id", "user_id", "顾客", "客户"),
    "faq": ("faq", "public", "公开"),
    "good": ("solved", "helpful", "good", "满意", "解决"),
    "stars": ("rating", "score", "csat", "stars", "评分"),
    "human": ("human", "handoff", "转人工"),
    "key": ("key", "policy", "键"),
}  # fmt: skip
_YES = frozenset({"1", "true", "yes", "y", "是", "good", "solved", "满意", "positive"})
_NO = frozenset({"0", "false", "no", "n", "否", "bad", "unsolved", "不满意", "negative"})
Row = Mapping[str, Any]


def read(path: Path, *, faq: bool = False) -> Loaded:
    """Read a file. faq: the answers in it are meant for everybody. Raises BadInput for one that cannot be used."""
    rows = _rows(path)
    talks = [r for r in rows if isinstance(r.get("messages") or r.get("comments"), list)]
    if talks:
        return _inquiries(path, _of_desk(talks), faq)
    columns = _columns(path, rows)
    if {"key"} <= columns.keys() and any("en" in r or "zh" in r for r in rows):
        return _policies(path, rows, columns)
    if "reply" in columns and "text" not in columns:
        return _templates(path, rows, columns)
    if "text" not in columns:
        raise BadInput(
            f"{path.name} has no column that could be a question; name it `text` (also taken: `question`, `inquiry`,"
            " `咨询`), or `key`, `en`, `zh` for policies, or `intent`, `reply` for templates"
        )
    named = [{name: row.get(column) for name, column in columns.items()} for row in rows]
    return _inquiries(path, named, faq)


# rows --------------------------------------------------------------------------------------
def _rows(path: Path) -> list[dict[str, Any]]:
    text = _text(path)
    rows = _json(path, text) if text.lstrip()[:1] in ("{", "[") else _csv(path, text)
    if not rows:
        raise BadInput(f"{path.name} holds no rows")
    return rows


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > _BIGGEST:
            raise BadInput(f"{path.name} is larger than 256 MiB; split it")
        content = path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror or error}") from error
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise BadInput(f"{path.name} is neither UTF-8 nor GB 18030; save it as UTF-8")


def _json(path: Path, text: str) -> list[dict[str, Any]]:
    try:
        whole = json.loads(text)
    except ValueError:
        whole = _lines(path, text)
    if isinstance(whole, dict):
        listed = (whole.get(k) for k in ("data", "payload", "tickets", "conversations", "rows"))
        whole = next((v for v in listed if isinstance(v, list)), [whole])
    if not isinstance(whole, list) or not all(isinstance(row, dict) for row in whole):
        raise BadInput(f"{path.name} is JSON, yet no list of objects; give one object a row")
    return whole


def _lines(path: Path, text: str) -> list[Any]:
    rows = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            try:
                rows.append(json.loads(line))
            except ValueError as error:
                raise BadInput(f"{path.name}, line {number} is no JSON ({error})") from error
    return rows


def _csv(path: Path, text: str) -> list[dict[str, Any]]:
    head = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=head.count)
    try:
        rows = list(csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter))
    except csv.Error as error:
        raise BadInput(f"{path.name} is no CSV that can be read ({error})") from error
    return [{(k or "").strip().lower(): v for k, v in row.items() if k is not None} for row in rows]


def _columns(path: Path, rows: Sequence[Row]) -> dict[str, str]:
    """Return our name -> the file's own."""
    there = {str(key).strip().lower(): str(key) for row in rows[:100] for key in row}
    found = {}
    for name, known in _NAMES.items():
        own = next((there[k] for k in known if k in there), None)
        if own is not None:
            found[name] = own
    return found


# what rows hold ----------------------------------------------------------------------------
def _inquiries(path: Path, rows: Iterable[Row], faq: bool) -> Loaded:
    found, skipped = [], Counter[str]()
    for row in rows:
        text = clean(_said(row.get("text")))
        if not text:
            skipped["no question"] += 1
            continue
        if len(text) > MOST_CHARS:
            skipped[f"over {MOST_CHARS} characters"] += 1
            continue
        found.append(
            Inquiry(
                text, _language(row.get("language"), text), _slug(row.get("label")),
                _said(row.get("answer"))[:MOST_CHARS].strip(), _said(row.get("customer")).strip(),
                faq or _truth(row.get("faq")) is True, _rated(row),
            )
        )  # fmt: skip
    if not found:
        raise BadInput(f"{path.name} holds no question that could be used")
    return Loaded(inquiries=tuple(found), skipped=dict(skipped))


def _templates(path: Path, rows: Sequence[Row], columns: Mapping[str, str]) -> Loaded:
    if "label" not in columns:
        raise BadInput(f"{path.name} has replies and no column `intent` that says what each is an answer to")
    found, ranks = [], Counter[tuple[str, str]]()
    for number, row in enumerate(rows, 1):
        label, text = _slug(row.get(columns["label"])), _said(row.get(columns["reply"])).strip()
        if not label or not text:
            raise BadInput(f"{path.name}, row {number} has no intent or no reply")
        language = _language(row.get(columns.get("language", "")), text)
        rank = ranks[label, language]
        ranks[label, language] += 1
        human = _truth(row.get(columns.get("human", ""))) is True
        found.append(
            _checked(
                path, number, Template(f"{label}#{path.stem}-{number}", label, language, text, human, rank)
            )
        )
    return Loaded(templates=tuple(found))


def _checked(path: Path, number: int, template: Template) -> Template:
    try:
        slots = template.slots
    except ValueError as error:
        raise BadInput(
            f"{path.name}, row {number}: a brace is open ({error}); write {{{{ for a brace itself"
        ) from error
    known = {name for t in starter.templates() for name in t.slots if not name.startswith("policy.")}
    wrong = sorted(s for s in slots if s not in known and not s.startswith("policy."))
    if wrong:
        raise BadInput(
            f"{path.name}, row {number}: there is no slot {{{wrong[0]}}}; take one of {', '.join(sorted(known))}, or"
            " {policy.KEY}"
        )
    return template


def _policies(path: Path, rows: Sequence[Row], columns: Mapping[str, str]) -> Loaded:
    found = []
    for number, row in enumerate(rows, 1):
        key, en, zh = (_said(row.get(k)).strip() for k in (columns["key"], "en", "zh"))
        key = key.removeprefix("policy.")
        if not key or not (en or zh):
            raise BadInput(f"{path.name}, row {number} has no key or says nothing")
        found.append(Policy(key, en, zh))
    return Loaded(policies=tuple(found))


# cells -------------------------------------------------------------------------------------
def _said(value: Any) -> str:
    return "" if value is None else str(value)


def _slug(value: Any) -> str:
    return "_".join(_said(value).strip().lower().split())


def _language(value: Any, text: str) -> Language:
    told = _said(value).strip().lower()
    return (
        "zh"
        if told.startswith(("zh", "cn", "chi", "中"))
        else "en"
        if told.startswith("en")
        else language_of(text)
    )


def _truth(value: Any) -> bool | None:
    told = _said(value).strip().lower()
    return True if told in _YES else False if told in _NO else None


def _rated(row: Row) -> bool | None:
    """Whether an answer helped: from yes and no, or from one to five stars, of which three say nothing."""
    if (told := _truth(row.get("good"))) is not None:
        return told
    stars = _said(row.get("stars")).strip().lower()
    if not stars.replace(".", "", 1).isdigit():
        return _truth(stars)
    return None if float(stars) == 3 else float(stars) > 3


# desks -------------------------------------------------------------------------------------
def _of_desk(talks: Iterable[Row]) -> list[Row]:
    """One row a conversation: the customer's first message, and the first public answer of a person to it."""
    return [_chatwoot(t) if isinstance(t.get("messages"), list) else _zendesk(t) for t in talks]


def _chatwoot(talk: Row) -> Row:
    said = [
        m
        for m in talk["messages"]
        if isinstance(m, dict) and not m.get("private") and _said(m.get("content")).strip()
    ]
    asked = next(
        (i for i, m in enumerate(said) if str(m.get("message_type")) in ("0", "incoming")), len(said)
    )
    answers = (m for m in said[asked + 1 :] if str(m.get("message_type")) in ("1", "outgoing"))
    labels = talk.get("labels") or []
    return {
        "text": said[asked]["content"] if asked < len(said) else "",
        "answer": next((m["content"] for m in answers), ""),
        "label": labels[0] if labels else "",
        "customer": _deep(talk, "meta", "sender", "identifier"),
        "stars": _deep(talk, "csat_survey_response", "rating"),
    }


def _zendesk(talk: Row) -> Row:
    asker = talk.get("requester_id")
    said = [c for c in talk["comments"] if isinstance(c, dict) and c.get("public", True)]
    answers = (c for c in said if c.get("author_id") != asker)
    return {
        "text": talk.get("description") or next((_body(c) for c in said if c.get("author_id") == asker), ""),
        "answer": next((_body(c) for c in answers), ""),
        "label": talk.get("intent") or "",
        "customer": talk.get("external_id") or "",
        "stars": _deep(talk, "satisfaction_rating", "score"),
    }


def _body(comment: Row) -> str:
    return _said(comment.get("plain_body") or comment.get("body"))


def _deep(value: Any, *keys: str) -> Any:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value

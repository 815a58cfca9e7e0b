"""The data-quality report for people: what came in, what was dropped and why."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from customers.ingest.cleaning import DROPPED, NOTED, REPAIRED, REPEATED, Finding
from customers.stores.events import EventStore, open_store

_WORDS = {
    "en": {
        "title": "What came in, and what became of it",
        "shop": "{name}, {first} to {last}. {dropped} of {read} rows were kept aside; "
        "nothing was dropped silently.",
        "head": ("Source", "Rows read", "Rows kept", "Kept aside", "Share kept aside"),
        "why": "Why, rule by rule",
        "why_head": ("Source", "Rule", "Reason", "What was done", "Rows", "Share", "Example"),
        "first": "A row that breaks several rules is counted under the first one. Rows kept aside are in the "
        "store's table `rejected` with their rule.",
        "none": "Every rule held.",
        DROPPED: "kept aside",
        REPAIRED: "repaired",
        NOTED: "kept, noted",
        REPEATED: "there already",
    },
    "zh": {
        "title": "读入了什么,结果如何",
        "shop": "{name},{first} 至 {last}。{read} 行中有 {dropped} 行被剔除留存;没有任何数据被悄悄丢弃。",
        "head": ("来源", "读入行数", "保留行数", "剔除行数", "剔除比例"),
        "why": "逐条规则的原因",
        "why_head": ("来源", "规则", "原因", "处理", "行数", "比例", "示例"),
        "first": "一行违反多条规则时只计入第一条。被剔除的行及其规则保存在数据库的 `rejected` 表中。",
        "none": "所有规则均满足。",
        DROPPED: "剔除留存",
        REPAIRED: "已修复",
        NOTED: "保留并注明",
        REPEATED: "此前已有",
    },
}


@dataclass(frozen=True, slots=True)
class SourceRow:
    """One source of the report; `kept` + `dropped` + `repeated` (there already) is `read`."""

    source: str
    read: int
    kept: int
    dropped: int
    repeated: int = 0

    @property
    def share_dropped(self) -> float:
        """Share (0..1) of the rows read that were kept aside; 0 for an empty source."""
        return self.dropped / self.read if self.read else 0.0


@dataclass(frozen=True, slots=True)
class RuleRow(Finding):
    """One rule that rows broke. `share` (0..1) is of the source's rows read; `examples` JSON text."""

    @property
    def share(self) -> float:
        return self.rows / self.of_rows if self.of_rows else 0.0


def sources(store: EventStore) -> list[SourceRow]:
    """Return every source with its rows read, kept and kept aside, the largest first."""
    read: dict[str, int] = {}
    gone: dict[tuple[str, str], int] = {}
    for row in _rows(store):
        if row.rule == "read":
            read[row.source] = row.rows
        elif row.action in (DROPPED, REPEATED):
            gone[row.source, row.action] = gone.get((row.source, row.action), 0) + row.rows
    found = []
    for source, rows in read.items():
        dropped, repeated = gone.get((source, DROPPED), 0), gone.get((source, REPEATED), 0)
        found.append(SourceRow(source, rows, rows - dropped - repeated, dropped, repeated))
    return sorted(found, key=lambda row: (-row.read, row.source))


def rules(store: EventStore) -> list[RuleRow]:
    """Return the rules that rows broke: by source, dropped before repaired before noted, most first."""
    order = {DROPPED: 0, REPAIRED: 1, NOTED: 2, REPEATED: 3}
    place = {row.source: number for number, row in enumerate(sources(store))}
    broken = [row for row in _rows(store) if row.rows and row.rule not in ("read", "kept")]
    return sorted(broken, key=lambda r: (place.get(r.source, len(place)), order[r.action], -r.rows, r.rule))


def _rows(store: EventStore) -> list[RuleRow]:
    columns = ", ".join(RuleRow.__dataclass_fields__)
    return [RuleRow(*row) for row in store.backend.con.execute(f"SELECT {columns} FROM quality").fetchall()]


def render_markdown(store: EventStore | Path, language: str = "en") -> str:
    """Return the report of a finished store as Markdown, in "en" or "zh"."""
    if isinstance(store, Path):
        opened = open_store(store)
        try:
            return render_markdown(opened, language)
        finally:
            opened.close()
    words = _WORDS["zh" if language == "zh" else "en"]
    lines = [f"## {words['title']}", "", _opening(store, words), ""]
    lines += _table(words["head"], (_source_cells(row) for row in sources(store)))
    lines += ["", f"### {words['why']}", ""]
    broken = rules(store)
    if broken:
        lines += [
            words["first"],
            "",
            *_table(words["why_head"], (_rule_cells(r, words, language) for r in broken)),
        ]
    else:
        lines.append(words["none"])
    return "\n".join(lines) + "\n"


def _opening(store: EventStore, words: dict) -> str:
    found = sources(store)
    shop = store.backend.con.execute("SELECT name, first_day, last_day FROM shop").fetchall()
    name, first, last = shop[0] if shop else ("", "", "")
    read, dropped = sum(row.read for row in found), sum(row.dropped for row in found)
    return words["shop"].format(name=name, first=first, last=last, read=f"{read:,}", dropped=f"{dropped:,}")


def _source_cells(row: SourceRow) -> tuple[str, ...]:
    return row.source, f"{row.read:,}", f"{row.kept:,}", f"{row.dropped:,}", percent(row.share_dropped)


def _rule_cells(row: RuleRow, words: dict, language: str) -> tuple[str, ...]:
    reason = row.reason_zh if language == "zh" else row.reason_en
    example = _first_example(row.examples)
    return row.source, row.rule, reason, words[row.action], f"{row.rows:,}", percent(row.share), example


def _first_example(examples: str, width: int = 90) -> str:
    """The first row of the JSON list as code, shortened."""
    inner = examples.strip().removeprefix("[").removesuffix("]").strip()
    shown = inner.split("}, {")[0] + ("}" if "}, {" in inner else "")
    shown = shown if len(shown) <= width else shown[: width - 1] + "…"
    return f"`{shown.replace('`', ' ')}`" if shown else ""


def percent(share: float) -> str:
    """Return a share (0..1) as people read it; one that is not quite zero is "<0.01%"."""
    return f"{share:.2%}" if share == 0 or share >= 0.0001 else "<0.01%"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return lines + ["| " + " | ".join(_cell(cell) for cell in row) + " |" for row in rows]


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ").replace("\r", " ")

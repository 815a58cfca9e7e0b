"""The build report as the page shows it: its text without markup of others, its plots inline."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from ui import escape
from ui.texts import text

# A report is one page; more than this is not one of ours.
_MOST_BYTES = 1_000_000
_MOST_PLOTS = 12


def report_of(shop: Any) -> Path | None:
    """Return the report.md of a shop's version, None where the shop names no version directory."""
    version = getattr(shop, "version", None)
    if version is None:
        return None
    path = Path(version) / "report" / "report.md"
    return path if path.is_file() else None


def text_of(report: Path | None) -> str:
    """Return the report as Markdown without HTML, links and images."""
    if report is None or not report.is_file() or report.stat().st_size > _MOST_BYTES:
        return f"{text('no_report', 'en')} {text('no_report', 'zh')}"
    return escape.report(report.read_text(encoding="utf-8"))


def plots_of(report: Path | None) -> str:
    """Return the plots beside the report as images held in the page itself: no file is served."""
    if report is None or not report.is_file():
        return ""
    files = [p for p in sorted(report.parent.glob("*.png"))[:_MOST_PLOTS] if p.stat().st_size <= _MOST_BYTES]
    images = "".join(
        f'<img alt="{escape.inert(path.stem)}" '
        f'src="data:image/png;base64,{base64.b64encode(path.read_bytes()).decode("ascii")}">'
        for path in files
    )
    return f'<div class="report-plots">{images}</div>'

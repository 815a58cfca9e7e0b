"""One frozen, typed Settings. Only entry points read it; values are passed down."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path


def _cache() -> Path:
    base = os.environ.get("SHOPKEEPER_CACHE") or os.environ.get("XDG_CACHE_HOME")
    return Path(base).expanduser() / "shopkeeper" if base else Path.home() / ".cache" / "shopkeeper"


def _var() -> Path:
    return Path(os.environ.get("SHOPKEEPER_VAR", "var"))


@dataclass(frozen=True, slots=True)
class Settings:
    """Where things are and which model answers.

    shop: directory of the built shop. cache: downloads that outlive `var/` (models, sample data).
    llm_url: base URL of an OpenAI-compatible server (".../v1"); None starts the local server.
    answer_form: "clauses" (rendered facts) or "prose" (the model's own words, verified); "" takes what the
    model's catalogue entry says.
    engine: where `shopkeeper features` runs: "duckdb", or a Spark master (see `customers.features.engine`).
    fill_gaps: whether a build guesses attributes that nobody told (as probabilities, shown as such).
    llm_model: a name of the model catalogue, a path to a GGUF file, or the server's model name.
    exploration: share (0..1) of the lists of offers that are drawn to learn from their feedback.
    desks: the file that says which customer-service desks there are (docs/desk.md).
    """

    var: Path = field(default_factory=_var)
    shop: Path = field(
        default_factory=lambda: Path(os.environ.get("SHOPKEEPER_SHOP") or _var() / "complete-journey")
    )
    cache: Path = field(default_factory=_cache)
    engine: str = field(default_factory=lambda: os.environ.get("SHOPKEEPER_ENGINE") or "duckdb")
    fill_gaps: bool = field(default_factory=lambda: os.environ.get("SHOPKEEPER_FILL_GAPS", "0") == "1")
    llm_url: str | None = field(default_factory=lambda: os.environ.get("SHOPKEEPER_LLM_URL") or None)
    llm_key: str | None = field(
        default_factory=lambda: os.environ.get("SHOPKEEPER_LLM_KEY") or None, repr=False
    )
    llm_model: str = field(
        default_factory=lambda: os.environ.get("SHOPKEEPER_LLM_MODEL") or "qwen2.5-coder-1.5b"
    )
    answer_form: str = field(default_factory=lambda: os.environ.get("SHOPKEEPER_ANSWER_FORM", ""))
    llm_threads: int = field(
        default_factory=lambda: int(os.environ.get("SHOPKEEPER_LLM_THREADS") or os.cpu_count() or 2)
    )
    exploration: float = field(default_factory=lambda: float(os.environ.get("SHOPKEEPER_EXPLORATION") or 0.0))
    api_key: str | None = field(
        default_factory=lambda: os.environ.get("SHOPKEEPER_API_KEY") or None, repr=False
    )
    openwebui_secret: str | None = field(
        default_factory=lambda: os.environ.get("SHOPKEEPER_OPENWEBUI_SECRET") or None, repr=False
    )
    desks: Path = field(
        default_factory=lambda: Path(os.environ.get("SHOPKEEPER_DESKS") or _var() / "desks.toml")
    )
    api_port: int = field(default_factory=lambda: int(os.environ.get("SHOPKEEPER_API_PORT") or 8300))
    ui_host: str = "127.0.0.1"
    ui_port: int = field(default_factory=lambda: int(os.environ.get("SHOPKEEPER_UI_PORT") or 7860))

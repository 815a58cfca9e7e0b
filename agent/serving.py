"""Which model server there is to talk to: one at a given address, one already running, or a new one of ours.

`connect` returns an Endpoint whichever it is; what llama.cpp and HTTP raise is translated here.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import httpx

from agent import hub, state
from agent.endpoint import PLANNER, SLOTS, Endpoint, Progress, Server, http_client, is_loopback, translated
from agent.errors import LLMRejected, LLMUnavailable
from agent.local_server import LocalServer
from agent.models import CATALOGUE, ensure_model, planner_adapter
from settings import Settings

__all__ = ["SLOTS", "Endpoint", "LocalServer", "Progress", "Server", "connect", "find_running", "is_loopback"]


def connect(
    settings: Settings, on_progress: Progress | None = None, *, share: bool = False, port: int = 0
) -> Endpoint:
    """Return the model to talk to: `settings.llm_url`, else a running server of ours, else a new one.

    share: let other processes use a server started here while this one lives; for long-lived processes.

    Raises LLMUnavailable, LLMRejected, ModelFileError, or download.DownloadError.
    """
    say = on_progress or (lambda _: None)
    if settings.llm_url:
        return _given(settings.llm_url, settings.llm_key or "", settings.llm_model)
    if (running := find_running(settings)) is not None:
        return running
    model = ensure_model(settings.llm_model, settings.cache, quiet=on_progress is None, on_progress=say)
    by_name = settings.llm_model in CATALOGUE or hub.parse(settings.llm_model)
    name = settings.llm_model if by_name else model.stem
    say(f"Starting the language model {name}")
    server = LocalServer(
        model,
        name=name,
        var=settings.var,
        threads=settings.llm_threads,
        port=port,
        planner=planner_adapter(name),
    ).start()
    if share:
        server.publish()
    return server.endpoint()


def find_running(settings: Settings) -> Endpoint | None:
    """The server that another process of ours shares, if it answers and has the model wanted."""
    record = state.read(settings.var / "llm.json")
    if record is None:
        return None
    wanted = settings.llm_model
    if wanted != record["model"] and str(Path(wanted).expanduser().resolve()) != record["file"]:
        return None
    try:
        with http_client(record["key"], timeout_s=3) as client:
            client.get(f"{record['url']}/v1/models").raise_for_status()
    except httpx.HTTPError:
        return None
    again = partial(find_running, settings)
    if record["engine"] != "llama":
        return Endpoint(
            f"{record['url']}/v1",
            record["key"],
            record["model"],
            moved=again,
            planner=record.get("planner", ""),
        )
    return Endpoint(
        base_url=f"{record['url']}/v1",
        key=record["key"],
        model=record["model"],
        llama=True,
        prefixes=settings.var / "llm-prefixes",
        model_print=record["print"],
        moved=again,
        planner=record.get("planner", ""),
    )


def _given(url: str, key: str, wanted: str) -> Endpoint:
    """A server of the user's choice: it must answer, and its model is the one wanted or its only one."""
    base = url.rstrip("/")
    try:
        with http_client(key, timeout_s=10, trust_env=not is_loopback(base)) as client:
            response = client.get(f"{base}/models")
            response.raise_for_status()
            names = [str(model["id"]) for model in response.json()["data"]]
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise translated(error, base) from error
    except (ValueError, KeyError, TypeError) as error:
        raise LLMUnavailable(
            f"{base} does not speak the OpenAI protocol; SHOPKEEPER_LLM_URL must end in /v1."
        ) from error
    planner = PLANNER if PLANNER in names else ""
    others = [name for name in names if name != PLANNER]
    if wanted in names:
        return Endpoint(base, key or "none", wanted, planner=planner)
    if len(others) == 1 and wanted in CATALOGUE:
        return Endpoint(base, key or "none", others[0], planner=planner)
    raise LLMRejected(
        f"{base} has no model {wanted!r}; set SHOPKEEPER_LLM_MODEL to one of: {', '.join(names) or '(none)'}."
    )

"""Where the model answers, and who started it."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import httpx

from agent.errors import LLMError, LLMRejected, LLMUnavailable
from agent.models import AnswerForm, answer_form

SLOTS = {"plan": 0, "answer": 1}
CONTEXT_PER_SLOT = 4096
PREFIXES_KEPT = 8
PLANNER = "shopkeeper-planner"
"""What a server that is not ours calls our planning adapter, where it serves it."""

Message = Mapping[str, str]
Progress = Callable[[str], None]


class Server(Protocol):
    """A model server that this process started. held: the prompt prefixes that its slots were made to hold."""

    held: dict[str, Sequence[Message]]

    def stop(self) -> None:
        """End it and take back what `publish` wrote. Safe to call twice."""
        ...

    def publish(self) -> None:
        """Let other processes of this user find it."""
        ...

    def endpoint(self) -> Endpoint: ...

    def wait(self) -> str:
        """Return, when it has ended by itself, one line that says so and why as far as is known."""
        ...

    def revive(self, on_start: Callable[[], None]) -> bool:
        """Start it again, at the same address, if it ended by itself; return whether it did.

        Raises LLMError or ModelFileError when it cannot be started, or keeps ending.
        """
        ...


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the model answers: an OpenAI-compatible base URL (".../v1"), its key and model name.

    llama: the server is our llama.cpp, so slots, cached prefixes and grammars can be asked for.
    owned: the server that this process started and `close` stops; None otherwise.
    planner: the LoRA adapter that the server has for plans, "" for none: a model of its own name on other servers.
    moved: looks for a shared server again, which may have been started anew elsewhere; None where there is no
    place to look.
    """

    base_url: str
    key: str = field(repr=False)
    model: str
    llama: bool = False
    owned: Server | None = None
    prefixes: Path | None = None
    model_print: str = ""
    planner: str = ""
    moved: Callable[[], Endpoint | None] | None = field(default=None, repr=False, compare=False)

    @property
    def answer_form(self) -> AnswerForm:
        """How answers of this model are made; "clauses" for one that nobody has evaluated."""
        return answer_form(self.model)

    def adapter(self, slot: str) -> dict[str, Any]:
        """Return what a request of a named slot says to be answered with the planning adapter, or without it."""
        if not self.planner:
            return {}
        if self.llama:
            return {"lora": [{"id": 0, "scale": 1.0 if slot == "plan" else 0.0}]}
        return {"model": self.planner} if slot == "plan" else {}

    def warm(self, prefixes: Mapping[str, Sequence[Message]]) -> dict[str, float]:
        """Make the server hold the prompt prefix of each named slot ("plan", "answer").

        A prefix seen before is read from disk (milliseconds), a new one is computed once and saved. Returns
        milliseconds by name. Does nothing with servers that are not ours. Raises LLMUnavailable.
        """
        if not self.llama or self.prefixes is None:
            return {}
        if self.owned is not None:
            self.owned.held.update(prefixes)
        spent: dict[str, float] = {}
        with http_client(self.key) as client:
            for name, messages in prefixes.items():
                began = time.perf_counter()
                self._hold(client, name, list(messages))
                spent[name] = (time.perf_counter() - began) * 1000
        _prune(self.prefixes)
        return spent

    def _hold(self, client: httpx.Client, name: str, messages: list[Message]) -> None:
        assert self.prefixes is not None
        slot = SLOTS[name]
        root = self.base_url.removesuffix("/v1")
        adapter = self.adapter(name)
        identity = [
            self.model_print,
            version("xllamacpp"),
            CONTEXT_PER_SLOT,
            messages,
            self.planner if adapter else "",
        ]
        digest = hashlib.sha256(json.dumps(identity, ensure_ascii=False).encode()).hexdigest()
        saved = {"filename": f"{name}-{digest[:24]}.kv"}
        try:
            if (self.prefixes / saved["filename"]).exists():
                restored = client.post(f"{root}/slots/{slot}?action=restore", json=saved)
                if restored.is_success:
                    os.utime(self.prefixes / saved["filename"])
                    return
                (self.prefixes / saved["filename"]).unlink(missing_ok=True)
            request = {
                "messages": messages,
                "max_tokens": 1,
                "id_slot": slot,
                "cache_prompt": True,
                **adapter,
            }
            client.post(f"{root}/v1/chat/completions", json=request).raise_for_status()
            client.post(f"{root}/slots/{slot}?action=save", json=saved).raise_for_status()
        except httpx.HTTPError as error:
            raise translated(error, root) from error

    def close(self) -> None:
        """Stop the server if this process started it. Safe to call twice."""
        if self.owned is not None:
            self.owned.stop()


def translated(error: Exception, where: str) -> LLMError:
    """The error of ours for what an HTTP client raised."""
    if isinstance(error, httpx.HTTPStatusError):
        status = error.response.status_code
        if status in (401, 403):
            return LLMRejected(f"{where} refuses the key ({status}); set SHOPKEEPER_LLM_KEY.")
        return LLMUnavailable(f"{where} answers {status}; check the model server's log.")
    return LLMUnavailable(
        f"no model server answers at {where} ({type(error).__name__}); start it, or unset SHOPKEEPER_LLM_URL "
        "to use the local one."
    )


def is_loopback(url: str) -> bool:
    """Whether the address is this machine's own."""
    return httpx.URL(url).host in ("127.0.0.1", "localhost", "::1")


def http_client(key: str, timeout_s: float = 300, trust_env: bool = False) -> httpx.Client:
    """Return a client for what is asked of a server beside completions."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    timeout = httpx.Timeout(timeout_s, connect=5)
    return httpx.Client(headers=headers, timeout=timeout, trust_env=trust_env)


def ending(returncode: int | None) -> str:
    """How a process ended, for people; a kill is most often the system's, short of memory."""
    if returncode in (-9, 137):
        return "it was killed, most often for want of memory: close programs or use a smaller model"
    return f"signal {-returncode}" if returncode is not None and returncode < 0 else f"exit code {returncode}"


def require_free(port: int) -> None:
    """Raise LLMUnavailable where another program listens on this port of the loopback address; 0 is any port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise LLMUnavailable(
                f"port {port} is taken; choose another, or leave it out for a free one."
            ) from None


def _prune(folder: Path) -> None:
    """Keep the prefixes used last; a changed prompt leaves its old one behind."""
    saved = sorted(folder.glob("*.kv"), key=lambda path: path.stat().st_mtime, reverse=True)
    for old in saved[PREFIXES_KEPT:]:
        old.unlink(missing_ok=True)

"""The model server: one of ours on loopback, one already running, or one at a given address.

`connect` returns an Endpoint whichever it is; what llama.cpp and HTTP raise is translated here.
"""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import json
import os
import queue
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import httpx

from agent.errors import LLMError, LLMRejected, LLMUnavailable, ModelFileError
from agent.models import CATALOGUE, ensure_model, fingerprint
from settings import Settings

SLOTS = {"plan": 0, "answer": 1}
CONTEXT_PER_SLOT = 4096
START_TIMEOUT_S = 180.0
PREFIXES_KEPT = 8

Message = Mapping[str, str]
Progress = Callable[[str], None]


class Server(Protocol):
    """A model server that this process started."""

    def stop(self) -> None: ...

    def publish(self) -> None: ...

    def endpoint(self) -> Endpoint: ...


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the model answers: an OpenAI-compatible base URL (".../v1"), its key and model name.

    llama: the server is our llama.cpp, so slots, cached prefixes and grammars can be asked for.
    owned: the server that this process started and `close` stops; None otherwise.
    """

    base_url: str
    key: str = field(repr=False)
    model: str
    llama: bool = False
    owned: Server | None = None
    prefixes: Path | None = None
    model_print: str = ""

    def warm(self, prefixes: Mapping[str, Sequence[Message]]) -> dict[str, float]:
        """Make the server hold the prompt prefix of each named slot ("plan", "answer").

        A prefix seen before is read from disk (milliseconds), a new one is computed once and saved. Returns
        milliseconds by name. Does nothing with servers that are not ours. Raises LLMUnavailable.
        """
        if not self.llama or self.prefixes is None:
            return {}
        spent: dict[str, float] = {}
        with _client(self.key) as client:
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
        identity = [self.model_print, version("xllamacpp"), CONTEXT_PER_SLOT, messages]
        digest = hashlib.sha256(json.dumps(identity, ensure_ascii=False).encode()).hexdigest()
        saved = {"filename": f"{name}-{digest[:24]}.kv"}
        try:
            if (self.prefixes / saved["filename"]).exists():
                restored = client.post(f"{root}/slots/{slot}?action=restore", json=saved)
                if restored.is_success:
                    os.utime(self.prefixes / saved["filename"])
                    return
                (self.prefixes / saved["filename"]).unlink(missing_ok=True)
            request = {"messages": messages, "max_tokens": 1, "id_slot": slot, "cache_prompt": True}
            client.post(f"{root}/v1/chat/completions", json=request).raise_for_status()
            client.post(f"{root}/slots/{slot}?action=save", json=saved).raise_for_status()
        except httpx.HTTPError as error:
            raise translated(error, root) from error

    def close(self) -> None:
        """Stop the server if this process started it. Safe to call twice."""
        if self.owned is not None:
            self.owned.stop()


class LocalServer:
    """llama.cpp's server in a process of its own, on loopback, with a random key and port.

    It ends with `stop`, with this process, and with this process's death of any kind.
    """

    def __init__(
        self,
        model: Path,
        *,
        name: str,
        var: Path,
        threads: int,
        port: int = 0,
        context: int = CONTEXT_PER_SLOT * len(SLOTS),
    ) -> None:
        self.model, self.name, self.threads, self.port, self.context = model, name, threads, port, context
        self.key = secrets.token_urlsafe(24)
        self.log = var / "log" / "llm.log"
        self.prefixes = var / "llm-prefixes"
        self.state = var / "llm.json"
        self.url = ""
        self._process: subprocess.Popen[str] | None = None

    def start(self, timeout_s: float = START_TIMEOUT_S) -> LocalServer:
        """Load the model and listen. Raises LLMUnavailable or ModelFileError, with nothing left running."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.prefixes.mkdir(parents=True, exist_ok=True)
        script = Path(__file__).with_name("llama_server.py")
        with self.log.open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-P", str(script)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=_server_environment(),
                start_new_session=True,  # Ctrl-C reaches us first, and we end it in order
            )
        atexit.register(self.stop)
        config = {
            "model": str(self.model),
            "alias": self.name,
            "port": self.port,
            "key": self.key,
            "slots": len(SLOTS),
            "context": self.context,
            "threads": self.threads,
            "prefixes": str(self.prefixes.resolve()),
        }
        try:
            self.url = self._ready(config, timeout_s)
        except BaseException:
            self.stop()
            raise
        return self

    def _ready(self, config: Mapping[str, Any], timeout_s: float) -> str:
        process = self._process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        stdin, stdout = process.stdin, process.stdout
        with contextlib.suppress(BrokenPipeError):
            stdin.write(json.dumps(config) + "\n")
            stdin.flush()
        answer: queue.Queue[str] = queue.Queue()
        threading.Thread(target=lambda: answer.put(stdout.readline()), daemon=True).start()
        try:
            line = answer.get(timeout=timeout_s)
        except queue.Empty:
            raise LLMUnavailable(
                f"the model server was not ready within {timeout_s:.0f} s; see {self.log}, or use a smaller "
                "model (SHOPKEEPER_LLM_MODEL=qwen2.5-coder-0.5b)."
            ) from None
        message = json.loads(line) if line.startswith("{") else {}
        if "url" not in message:
            raise self._failure(message.get("error", ""))
        return message["url"]

    def _failure(self, error: str) -> LLMError | ModelFileError:
        tail = self.log.read_text(errors="replace")[-4000:]
        if "bind" in tail and self.port:
            return LLMUnavailable(
                f"port {self.port} is taken; choose another, or leave it out for a free one."
            )
        if any(sign in tail for sign in ("failed to load model", "error loading model", "corrupted")):
            return ModelFileError(
                f"the model file {self.model} cannot be loaded (damaged, or of a kind that llama.cpp does "
                f"not know); remove it to have it fetched again. Details: {self.log}"
            )
        return LLMUnavailable(f"the model server did not start ({error or 'no message'}); see {self.log}.")

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.poll() is None

    def endpoint(self) -> Endpoint:
        return Endpoint(
            base_url=f"{self.url}/v1",
            key=self.key,
            model=self.name,
            llama=True,
            owned=self,
            prefixes=self.prefixes,
            model_print=fingerprint(self.model),
        )

    def publish(self) -> None:
        """Let other processes of this user find the server (`var`/llm.json, readable by the owner only)."""
        record = {"pid": os.getpid(), "url": self.url, "key": self.key, "model": self.name}
        record |= {"file": str(self.model), "print": fingerprint(self.model), "engine": "llama"}
        publish(self.state, record)

    def stop(self) -> None:
        """End the process and take back what `publish` wrote. Safe to call twice."""
        process, self._process = self._process, None
        atexit.unregister(self.stop)
        if process is None:
            return
        withdraw(self.state, self.key)
        with contextlib.suppress(OSError):
            if process.stdin:
                process.stdin.close()  # the server leaves at the end of its input
        try:
            process.wait(3)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout:
            process.stdout.close()


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
    name = settings.llm_model if settings.llm_model in CATALOGUE else model.stem
    say(f"Starting the language model {name}")
    server = LocalServer(model, name=name, var=settings.var, threads=settings.llm_threads, port=port).start()
    if share:
        server.publish()
    return server.endpoint()


def find_running(settings: Settings) -> Endpoint | None:
    """The server that another process of ours shares, if it answers and has the model wanted."""
    record = _read_state(settings.var / "llm.json")
    if record is None:
        return None
    wanted = settings.llm_model
    if wanted != record["model"] and str(Path(wanted).expanduser().resolve()) != record["file"]:
        return None
    try:
        with _client(record["key"], timeout_s=3) as client:
            client.get(f"{record['url']}/v1/models").raise_for_status()
    except httpx.HTTPError:
        return None
    if record["engine"] != "llama":
        return Endpoint(f"{record['url']}/v1", record["key"], record["model"])
    return Endpoint(
        base_url=f"{record['url']}/v1",
        key=record["key"],
        model=record["model"],
        llama=True,
        prefixes=settings.var / "llm-prefixes",
        model_print=record["print"],
    )


def _given(url: str, key: str, wanted: str) -> Endpoint:
    """A server of the user's choice: it must answer, and its model is the one wanted or its only one."""
    base = url.rstrip("/")
    try:
        with _client(key, timeout_s=10, trust_env=not is_loopback(base)) as client:
            response = client.get(f"{base}/models")
            response.raise_for_status()
            names = [str(model["id"]) for model in response.json()["data"]]
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise translated(error, base) from error
    except (ValueError, KeyError, TypeError) as error:
        raise LLMUnavailable(
            f"{base} does not speak the OpenAI protocol; SHOPKEEPER_LLM_URL must end in /v1."
        ) from error
    if wanted in names:
        return Endpoint(base, key or "none", wanted)
    if len(names) == 1 and wanted in CATALOGUE:
        return Endpoint(base, key or "none", names[0])
    raise LLMRejected(
        f"{base} has no model {wanted!r}; set SHOPKEEPER_LLM_MODEL to one of: {', '.join(names) or '(none)'}."
    )


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


def _client(key: str, timeout_s: float = 300, trust_env: bool = False) -> httpx.Client:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    timeout = httpx.Timeout(timeout_s, connect=5)
    return httpx.Client(headers=headers, timeout=timeout, trust_env=trust_env)


def _server_environment() -> dict[str, str]:
    """Idle threads of the server sleep instead of spinning: it shares its cores with the rest of us."""
    return {"OMP_WAIT_POLICY": "passive", **os.environ}


def publish(state: Path, record: Mapping[str, Any]) -> None:
    """Write where a shared server is, for this user's eyes only."""
    fresh = state.with_suffix(f".{os.getpid()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as out:
        json.dump(record, out)
    os.replace(fresh, state)


def withdraw(state: Path, key: str) -> None:
    """Take back the record of the server with this key; another server's stays."""
    if (record := _read_state(state)) and record.get("key") == key:
        state.unlink(missing_ok=True)


def _read_state(path: Path) -> dict[str, str] | None:
    try:
        record = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    wanted = ("url", "key", "model", "file", "print", "engine")
    return record if isinstance(record, dict) and all(k in record for k in wanted) else None


def _prune(folder: Path) -> None:
    """Keep the prefixes used last; a changed prompt leaves its old one behind."""
    saved = sorted(folder.glob("*.kv"), key=lambda path: path.stat().st_mtime, reverse=True)
    for old in saved[PREFIXES_KEPT:]:
        old.unlink(missing_ok=True)

"""llama.cpp's server on this machine: its process from start to stop, and again when it died."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import queue
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from agent import state
from agent.endpoint import CONTEXT_PER_SLOT, SLOTS, Endpoint, Message, ending, require_free
from agent.errors import LLMError, LLMUnavailable, ModelFileError
from agent.models import fingerprint

START_TIMEOUT_S = 180.0
BATCH = 128
"""Prompt tokens between two looks at what was withdrawn or came in meanwhile: two to six seconds of two cores."""
REVIVE_EVERY_S = 60.0
"""A server that ends again so soon after it was started anew would end every time."""


class LocalServer:
    """llama.cpp's server in a process of its own, on loopback, with a random key and port.

    It ends with `stop`, with this process, and with this process's death of any kind. held: the prompt prefixes
    of its slots, held again when it is revived. planner: the LoRA adapter that plans are asked of.
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
        planner: Path | None = None,
    ) -> None:
        self.model, self.name, self.threads, self.port, self.context = model, name, threads, port, context
        self.planner = planner
        self.key = secrets.token_urlsafe(24)
        self.log = var / "log" / "llm.log"
        self.prefixes = var / "llm-prefixes"
        self.state = var / "llm.json"
        self.url = ""
        self.held: dict[str, Sequence[Message]] = {}
        self._process: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()
        self._open = self._published = False
        self._revived = -REVIVE_EVERY_S

    def start(self, timeout_s: float = START_TIMEOUT_S) -> LocalServer:
        """Load the model and listen. Raises LLMUnavailable or ModelFileError, with nothing left running."""
        require_free(self.port)
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
            "batch": BATCH,
            "prefixes": str(self.prefixes.resolve()),
            "adapters": [str(self.planner)] if self.planner else [],
        }
        try:
            self.url = self._ready(config, timeout_s)
        except BaseException:
            self._end()
            raise
        self._open = True
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

    def wait(self) -> str:
        """Return, when it has ended by itself, one line that says so and why as far as is known."""
        process = self._process
        return f"the model server ended ({ending(process.wait() if process else None)}); see {self.log}."

    def revive(self, on_start: Callable[[], None]) -> bool:
        """Start it again, with the same address and key, if it ended by itself; return whether it did.

        Raises LLMUnavailable or ModelFileError when it cannot be started, or ended again within a minute.
        """
        if not self._open or self.alive():
            return False
        with self._lock:
            if not self._open or self.alive():
                return True  # another thread was here first
            if time.monotonic() - self._revived < REVIVE_EVERY_S:
                raise LLMUnavailable(
                    f"the model server ended twice within a minute ({self._how()}); see {self.log}."
                )
            self._revived = time.monotonic()
            on_start()
            self._end()
            self.port = int(self.url.rpartition(":")[2])
            self.start()
            if self._published:
                self.publish()
            self.endpoint().warm(self.held)
        return True

    def _how(self) -> str:
        return ending(self._process.returncode) if self._process else "it did not start"

    def endpoint(self) -> Endpoint:
        return Endpoint(
            base_url=f"{self.url}/v1",
            key=self.key,
            model=self.name,
            llama=True,
            owned=self,
            prefixes=self.prefixes,
            model_print=fingerprint(self.model),
            planner=self.planner.stem if self.planner else "",
        )

    def publish(self) -> None:
        """Let other processes of this user find the server (`var`/llm.json, readable by the owner only)."""
        record = {"pid": os.getpid(), "url": self.url, "key": self.key, "model": self.name}
        record |= {"file": str(self.model), "print": fingerprint(self.model), "engine": "llama"}
        record |= {"planner": self.planner.stem if self.planner else ""}
        state.publish(self.state, record)
        self._published = True

    def stop(self) -> None:
        """End the process and take back what `publish` wrote. Safe to call twice."""
        self._open = False
        self._end()

    def _end(self) -> None:
        process, self._process = self._process, None
        atexit.unregister(self.stop)
        if process is None:
            return
        state.withdraw(self.state, self.key)
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


def _server_environment() -> dict[str, str]:
    """Idle threads of the server sleep instead of spinning: it shares its cores with the rest of us."""
    return {"OMP_WAIT_POLICY": "passive", **os.environ}

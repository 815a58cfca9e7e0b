"""Streamed chat completions from one endpoint: time-outs, retries, a server found down, one that must be restarted."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from typing import Any

import httpx
import openai
from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from agent.circuit import REST_S, Circuit
from agent.connection import CONNECT_S, client, patience
from agent.endpoint import Endpoint, is_loopback
from agent.errors import Cancelled, LLMError, LLMRejected, LLMTimeout, LLMUnavailable, ModelFileError
from tools.words import both

FIRST_S = 300.0
"""Until the first token: two slow cores compute a long prompt in two to three minutes."""
BETWEEN_S = 120.0
"""Between tokens: another question's prompt may be computed in between."""
PAUSES_S = (0.1, 0.4)
_PROBE_S = 2.0
_PASSING = frozenset({429, 502, 503, 504})
_ACCOUNT_HEADERS = ("openai-organization", "openai-project")
_RESTARTING = both(en="Starting the language model again", zh="正在重新启动语言模型")

OnProgress = Callable[[Mapping[str, str]], None]


class Chat:
    """Chat completions of one Endpoint at temperature 0, as LangChain's chunks. Safe to use from several threads.

    timeout_s: until the first token at most. retries: how often a refused or broken connection is tried again;
    nothing is tried again after a time-out, nor once text has come. rest_s: how long a server found down is left
    alone.
    """

    def __init__(
        self, endpoint: Endpoint, *, timeout_s: float = FIRST_S, retries: int = 2, rest_s: float = REST_S
    ) -> None:
        self._first_s, self._between_s = timeout_s, min(timeout_s, BETWEEN_S)
        self._pauses = (PAUSES_S + PAUSES_S[-1:] * retries)[:retries]
        self._http = client(
            trust_env=not is_loopback(endpoint.base_url),
            timeout=httpx.Timeout(timeout_s, connect=CONNECT_S),
            event_hooks={"request": [_without_account]},
        )
        self._circuit = Circuit(self._answers, rest_s)
        self._bound = (endpoint, self._model(endpoint))

    @property
    def endpoint(self) -> Endpoint:
        """Where the model answers now; a shared server may have moved since the start."""
        return self._bound[0]

    def chunks(
        self,
        messages: Sequence[BaseMessage],
        body: Callable[[Endpoint], dict[str, Any]],
        *,
        max_tokens: int,
        cancel: threading.Event | None = None,
        on_progress: OnProgress | None = None,
    ) -> Generator[AIMessageChunk]:
        """Yield the answer's chunks. `body`: the request's fields beside the protocol's own, for an endpoint.

        on_progress: told, in both languages, of what takes long before the answer (a server started again).
        Raises LLMUnavailable (LLMTimeout), LLMRejected, and Cancelled soon after `cancel` is set.
        """
        for pause in (*self._pauses, None):
            begun = False
            try:
                self._ready(on_progress)
                with closing(self._attempt(messages, body, max_tokens, cancel)) as pieces:
                    for chunk in pieces:
                        begun = True
                        yield chunk
                return
            except (openai.APIError, httpx.HTTPError) as error:
                if cancel is not None and cancel.is_set():
                    raise Cancelled("the question was withdrawn.") from error
                if begun or pause is None or not _passing(error):
                    raise self._failed(error) from error
            if not self._follow():
                (cancel or threading.Event()).wait(pause)

    def close(self) -> None:
        """Close the connections; the server goes on."""
        self._http.close()

    def _model(self, endpoint: Endpoint) -> ChatOpenAI:
        return ChatOpenAI(
            base_url=endpoint.base_url,
            api_key=SecretStr(endpoint.key),
            model=endpoint.model,
            temperature=0,
            max_retries=0,
            timeout=httpx.Timeout(self._first_s, connect=CONNECT_S),
            http_client=self._http,
            http_socket_options=(),
            openai_proxy="",
            stream_usage=True,
            use_responses_api=False,
            cache=False,
        )

    def _attempt(
        self,
        messages: Sequence[BaseMessage],
        body: Callable[[Endpoint], dict[str, Any]],
        max_tokens: int,
        cancel: threading.Event | None,
    ) -> Generator[AIMessageChunk]:
        endpoint, model = self._bound
        fields: dict[str, Any] = {"max_tokens": max_tokens, "extra_body": body(endpoint)}
        running: Any = model.stream(list(messages), **fields)
        seconds = self._first_s
        try:
            while True:
                if cancel is not None and cancel.is_set():
                    raise Cancelled("the question was withdrawn.")
                with patience(cancel, seconds):
                    chunk = next(running, None)
                self._circuit.close()
                if chunk is None:
                    return
                if chunk.content:
                    seconds = self._between_s
                yield chunk
        finally:
            running.close()  # ends the HTTP response, so the server stops computing

    def _ready(self, on_progress: OnProgress | None) -> None:
        """Return when the server may be asked: restarted if it was ours and died. Raises LLMUnavailable."""
        owned = self.endpoint.owned
        try:
            revived = owned is not None and owned.revive(
                lambda: on_progress(_RESTARTING) if on_progress else None
            )
        except ModelFileError as error:
            raise LLMUnavailable(str(error)) from error
        if revived:
            self._circuit.close()
        else:
            self._circuit.enter()

    def _failed(self, error: Exception) -> LLMError:
        ours = translated(error, self.endpoint.base_url)
        if isinstance(ours, LLMUnavailable) and getattr(error, "status_code", 503) in _PASSING:
            self._circuit.open(ours)
        return ours

    def _answers(self) -> bool:
        """Whether the server, or the one that took its place, answers a cheap question."""
        if self._follow():
            return True
        endpoint = self.endpoint
        try:
            asked = self._http.get(
                f"{endpoint.base_url}/models",
                headers={"Authorization": f"Bearer {endpoint.key}"},
                timeout=_PROBE_S,
            )
        except httpx.HTTPError:
            return False
        return asked.status_code < 500

    def _follow(self) -> bool:
        """Turn to where a shared server is now; return whether that is another place."""
        endpoint = self.endpoint
        found = endpoint.moved() if endpoint.moved else None
        if found is None or (found.base_url, found.key) == (endpoint.base_url, endpoint.key):
            return False
        self._bound = (found, self._model(found))
        return True


def translated(error: Exception, where: str) -> LLMError:
    """The error of ours for what the OpenAI client or HTTP raised."""
    connecting = isinstance(error, httpx.ConnectTimeout) or isinstance(error.__cause__, httpx.ConnectTimeout)
    if isinstance(error, openai.APITimeoutError | httpx.TimeoutException) and not connecting:
        return LLMTimeout(
            f"the model server at {where} answered too slowly; ask again, or use a smaller model."
        )
    if isinstance(error, openai.AuthenticationError | openai.PermissionDeniedError):
        return LLMRejected(f"the model server at {where} refuses the key; set SHOPKEEPER_LLM_KEY.")
    if isinstance(error, openai.NotFoundError):
        return LLMRejected(f"the model server at {where} does not have this model; set SHOPKEEPER_LLM_MODEL.")
    if isinstance(error, openai.APIStatusError) and error.status_code < 500:
        return LLMRejected(f"the model server at {where} refused the request: {_reason(error)}")
    if isinstance(error, openai.APIStatusError):
        return LLMUnavailable(f"the model server at {where} failed ({error.status_code}); see its log.")
    if isinstance(error, openai.APIError) and not isinstance(error, openai.APIConnectionError):
        return LLMUnavailable(f"the model server at {where} broke off its answer: {_reason(error)}")
    return LLMUnavailable(
        f"no model server answers at {where}; start it with `shopkeeper llm`, or check SHOPKEEPER_LLM_URL."
    )


def _passing(error: Exception) -> bool:
    """Whether the same request may work a moment later."""
    if isinstance(error, openai.APIStatusError):
        return error.status_code in _PASSING
    if isinstance(error, openai.APITimeoutError | httpx.TimeoutException):
        return False
    return isinstance(error, openai.APIConnectionError | httpx.TransportError)


def _reason(error: openai.APIError) -> str:
    body = error.body if isinstance(error.body, dict) else {}
    return (str(body.get("message") or error.message).splitlines() or ["no reason given"])[0][:300]


def _without_account(request: httpx.Request) -> None:
    """The OpenAI package adds account headers from the environment; they are nobody else's business."""
    for header in _ACCOUNT_HEADERS:
        request.headers.pop(header, None)

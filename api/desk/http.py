"""Calls to a desk's API: bounded in time, with its errors translated once."""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from time import time
from typing import Any

import httpx

from api.desk.errors import DeskBusy, DeskRefused

TIMEOUT = httpx.Timeout(15.0, connect=5.0)
MOST_WAIT = 900.0
_AGAIN = (408, 409, 423, 425, 429)
_MEND = {
    401: "the token is wrong or was withdrawn; put a new one into the desks' file",
    403: "the token may not do this; give the bot the right to it",
    404: "there is no such thing there; check url, account and whether the conversation still exists",
}


class DeskClient:
    """An HTTP client of one desk. `headers` carry the token and are never told in an error or a log."""

    def __init__(
        self, name: str, url: str, headers: Mapping[str, str], auth: tuple[str, str] | None = None
    ) -> None:
        self.name = name
        self._http = httpx.Client(
            base_url=url.rstrip("/"),
            headers={"Accept": "application/json", **headers},
            auth=auth,
            timeout=TIMEOUT,
            follow_redirects=False,  # a redirect would carry the token elsewhere
            limits=httpx.Limits(max_connections=64, max_keepalive_connections=16),
        )

    def call(self, method: str, path: str, **request: Any) -> Any:
        """Return the JSON of the answer. Raises DeskBusy or DeskRefused."""
        try:
            answer = self._http.request(method, path, **request)
        except httpx.TimeoutException as error:
            raise DeskBusy(f"{self.name} did not answer in time ({method} {path})") from error
        except httpx.HTTPError as error:
            raise DeskBusy(
                f"{self.name} cannot be reached: {type(error).__name__} ({method} {path})"
            ) from error
        where = f"{self.name} answered {answer.status_code} ({method} {path})"
        if answer.status_code in _AGAIN or answer.status_code >= 500:
            raise DeskBusy(where, retry_after(answer.headers.get("retry-after", "")))
        if not answer.is_success:
            raise DeskRefused(f"{where}: {_MEND.get(answer.status_code, 'it does not take this')}")
        try:
            return answer.json() if answer.content else {}
        except ValueError as error:
            raise DeskRefused(f"{where} with something that is no JSON: check url") from error

    def close(self) -> None:
        self._http.close()


def retry_after(text: str) -> float:
    """Return the seconds of a Retry-After header (seconds, or a date), 0 where it says nothing."""
    try:
        wait = (
            float(text)
            if text.replace(".", "", 1).isdigit()
            else parsedate_to_datetime(text).timestamp() - time()
        )
    except (ValueError, TypeError, OverflowError):
        return 0.0
    return min(max(wait, 0.0), MOST_WAIT)

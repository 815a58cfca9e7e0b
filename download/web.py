"""One file over HTTP(S)."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import httpx

from download.errors import NoNetwork, PartMissing
from download.files import Published, finish, matches, need_space, one_at_a_time, partial_of, translated
from download.progress import Progress, progress_bar


def fetch_url(target: Path, url: str, published: Published, quiet: bool = False) -> Path:
    """Fetch one file over HTTP(S) into `target`, going on from `target`.partial where the server can.

    Raises NoNetwork, PartMissing, WrongChecksum (the bad file is removed), DiskFull.
    """
    with one_at_a_time(target, quiet):
        if matches(target, published):
            return target
        partial = partial_of(target)
        with (
            translated(target, published.bytes),
            progress_bar(target.name, published.bytes, quiet) as bar,
        ):
            have = partial.stat().st_size if partial.exists() else 0
            if have > published.bytes:
                have = 0
            need_space(target.parent, published.bytes - have)
            if have < published.bytes:
                _stream_url(url, partial, have, Progress(bar, published.bytes).set)
            finish(partial, target, published)
    return target


def _stream_url(url: str, partial: Path, have: int, seen: Callable[[int], None]) -> None:
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    try:
        with httpx.stream(
            "GET",
            url,
            headers=headers,
            follow_redirects=True,
            timeout=httpx.Timeout(30, connect=10),
        ) as response:
            if response.status_code >= 400:
                raise PartMissing(
                    f"{url} answers {response.status_code}; check the address, or put the file there by hand."
                )
            start = have if response.status_code == 206 else 0
            with partial.open("r+b" if partial.exists() else "w+b") as out:
                out.truncate(start)
                out.seek(start)
                for block in response.iter_raw():  # as it arrives: a drop loses nothing
                    out.write(block)
                    seen(out.tell())
                out.flush()
                os.fsync(out.fileno())
    except httpx.HTTPError as error:
        raise NoNetwork(
            f"no answer from {httpx.URL(url).host} ({type(error).__name__}); check the network and run the "
            "same command again: it goes on where it was."
        ) from error

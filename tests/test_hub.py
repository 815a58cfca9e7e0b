"""Models by their name on the hub, against a stand-in of the hub on loopback."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent import hub
from agent.endpoint import Endpoint
from agent.errors import ModelFileError
from agent.models import CATALOGUE, DEFAULT, answer_form, at_hand, ensure_model, fingerprint
from download import NoNetwork, WrongChecksum

FILES = {"tiny-q4_k_m.gguf": b"GGUF four bits", "tiny-q8_0.gguf": b"GGUF eight bits", "README.md": b"read"}


class StandIn:
    """Serves one repository, `owner/tiny`, as the hub does. asked: the paths, in order."""

    def __init__(self) -> None:
        self.files = dict(FILES)
        self.asked: list[str] = []
        self.published: dict[str, str] = {}
        self.url = ""

    def about(self) -> dict[str, Any]:
        return {"sha": "c0ffee", "siblings": [self._sibling(name) for name in self.files]}

    def _sibling(self, name: str) -> dict[str, Any]:
        if not name.endswith(".gguf"):
            return {"rfilename": name, "size": len(self.files[name])}
        digest = self.published.get(name) or hashlib.sha256(self.files[name]).hexdigest()
        return {"rfilename": name, "lfs": {"sha256": digest, "size": len(self.files[name])}}

    def answer(self, path: str) -> bytes | None:
        self.asked.append(path)
        if path == "/api/models/owner/tiny?blobs=true":
            return json.dumps(self.about()).encode()
        return self.files.get(path.removeprefix("/owner/tiny/resolve/c0ffee/"))


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    standing = StandIn()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = standing.answer(self.path)
            start = int((self.headers.get("range") or "bytes=0-")[6:-1])
            self.send_response(404 if body is None else 206 if start else 200)
            self.send_header("content-length", str(len((body or b"")[start:])))
            self.end_headers()
            self.wfile.write((body or b"")[start:])

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    monkeypatch.setattr(hub, "HUB", f"http://127.0.0.1:{server.server_address[1]}")
    yield standing
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("text", "repo", "file"),
    [
        ("owner/name", "owner/name", ""),
        ("hf:owner/name", "owner/name", ""),
        ("hf:owner/name:file.gguf", "owner/name", "file.gguf"),
        ("hf:owner/name:q4/file.gguf", "owner/name", "q4/file.gguf"),
    ],
)
def test_a_name_of_the_hub_is_read(text: str, repo: str, file: str) -> None:
    assert hub.parse(text) == hub.HubName(repo, file)


@pytest.mark.parametrize(
    "text",
    [
        "name",
        "/etc/model",
        "a/b/c",
        "models/mine.gguf",
        "hf:name",
        "owner/name:x.gguf",
        "",
        "tests/data",
        "hf:a/b:../x.gguf",
    ],
)
def test_what_is_no_name_of_the_hub_is_left_to_others(text: str) -> None:
    assert hub.parse(text) is None


@given(st.text())
def test_a_name_never_leads_out_of_the_cache(text: str) -> None:
    for name in (hub.parse(text), hub.parse(f"hf:{text}")):
        if name is not None:
            folder = name.folder(Path("/cache"))
            assert folder.parent == Path("/cache/models/hub")


def test_the_usual_file_is_fetched_once_and_checked(stand_in: StandIn, tmp_path: Path) -> None:
    assert at_hand("owner/tiny", tmp_path) is None
    said: list[str] = []
    path = ensure_model("owner/tiny", tmp_path, quiet=True, on_progress=said.append)
    assert path.read_bytes() == b"GGUF four bits"
    assert "tiny-q4_k_m.gguf" in said[0]
    asked = len(stand_in.asked)
    assert ensure_model("hf:owner/tiny:tiny-q4_k_m.gguf", tmp_path) == path
    assert at_hand("owner/tiny", tmp_path) == path
    assert len(stand_in.asked) == asked  # what is held needs no network
    path.write_bytes(b"GGUF tampered!")
    assert at_hand("owner/tiny", tmp_path) is None
    assert ensure_model("owner/tiny", tmp_path, quiet=True).read_bytes() == b"GGUF four bits"


def test_a_named_file_is_fetched(stand_in: StandIn, tmp_path: Path) -> None:
    path = ensure_model("hf:owner/tiny:tiny-q8_0.gguf", tmp_path, quiet=True)
    assert path.read_bytes() == b"GGUF eight bits"
    assert fingerprint(path)


def test_a_broken_fetch_goes_on(stand_in: StandIn, tmp_path: Path) -> None:
    folder = hub.HubName("owner/tiny").folder(tmp_path)
    folder.mkdir(parents=True)
    (folder / "tiny-q4_k_m.gguf.partial").write_bytes(b"GGUF fo")
    assert ensure_model("owner/tiny", tmp_path, quiet=True).read_bytes() == b"GGUF four bits"


def test_other_bytes_than_the_published_are_not_kept(stand_in: StandIn, tmp_path: Path) -> None:
    stand_in.published["tiny-q4_k_m.gguf"] = "0" * 64
    with pytest.raises(WrongChecksum):
        ensure_model("owner/tiny", tmp_path, quiet=True)
    assert at_hand("owner/tiny", tmp_path) is None
    assert not list(tmp_path.rglob("*.gguf"))


def test_what_cannot_be_chosen_is_asked_back(stand_in: StandIn, tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"it has: tiny-q4_k_m\.gguf, tiny-q8_0\.gguf"):
        ensure_model("hf:owner/tiny:absent.gguf", tmp_path)
    del stand_in.files["tiny-q4_k_m.gguf"]
    stand_in.files["tiny-q2_k.gguf"] = b"GGUF"
    with pytest.raises(ModelFileError, match=r"hf:owner/tiny:tiny-q2_k\.gguf, hf:owner/tiny:tiny-q8_0\.gguf"):
        ensure_model("owner/tiny", tmp_path)
    stand_in.files = {"../outside.gguf": b"", "big-00001-of-00002.gguf": b"", "model.safetensors": b""}
    with pytest.raises(ModelFileError, match="vLLM"):
        ensure_model("owner/tiny", tmp_path)
    with pytest.raises(ModelFileError, match="no public model owner/absent"):
        ensure_model("owner/absent", tmp_path)


def test_without_a_network_one_line_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "HUB", "http://127.0.0.1:9")
    with pytest.raises(NoNetwork, match="owner/tiny") as caught:
        ensure_model("owner/tiny", tmp_path)
    assert "\n" not in str(caught.value)


def test_the_catalogues_models_are_known_by_their_hub_names_too(tmp_path: Path) -> None:
    target = tmp_path / "models" / DEFAULT.file
    target.parent.mkdir()
    target.write_bytes(b"GGUF")
    stat = target.stat()
    stamp = {"sha256": DEFAULT.published.sha256, "bytes": stat.st_size, "mtime_ns": stat.st_mtime_ns}
    target.with_name(target.name + ".verified").write_text(json.dumps(stamp))
    for name in (DEFAULT.name, DEFAULT.hub_repo, f"hf:{DEFAULT.hub_repo}:{DEFAULT.file}"):
        assert ensure_model(name, tmp_path) == target


def test_how_a_model_answers_is_known_where_it_answers() -> None:
    for name, spec in CATALOGUE.items():
        assert answer_form(spec.hub_repo) == spec.answer_form
        assert Endpoint("http://127.0.0.1:1/v1", "k", name).answer_form == spec.answer_form
    assert Endpoint("http://127.0.0.1:1/v1", "k", "owner/stranger").answer_form == "clauses"

"""What README.md and docs/ say is so: their commands run as they stand, what they name exists.

A fenced block whose info string says `runnable` is run; `model` says that it needs a language model,
`exits=N` that its last command ends with N. Blocks run in order in one scratch folder where docs/ is
found, with README.md first: the corner shop that it builds is the one the other pages go on with.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import cli
from agent.events import Citation, Grounding, Handoff, Offer, Reply, Step, Usage
from agent.models import CATALOGUE
from customers.ingest.mapping import Mapping, guess_mapping
from customers.recommend.rules import RULES_FILE, read_rules

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "docs" / "example"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
COMMANDS = tuple(
    (
        "run ui campaign link-accounts data simulate rejected build name-segments export-events features label ask profile "
        "export erase newcomer family serve keys mcp desk knowledge llm eval bench train doctor"
    ).split()
)
_FENCE = re.compile(r"^```(\w*)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`([^`\n]+)`")
_TEMPORARY = {"SHOPKEEPER_TEST_FETCH"}


@dataclasses.dataclass(frozen=True)
class Block:
    """A fenced block of a page: its language, the words after it, and its text."""

    page: str
    language: str
    words: tuple[str, ...]
    text: str

    @property
    def exits(self) -> int:
        return next((int(w.removeprefix("exits=")) for w in self.words if w.startswith("exits=")), 0)


def blocks(page: Path) -> list[Block]:
    return [
        Block(page.name, lang, tuple(words.split()), text)
        for lang, words, text in _FENCE.findall(_text(page))
    ]


def _text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def _marked(*words: str, without: str = "") -> list[Block]:
    every = [block for page in PAGES for block in blocks(page)]
    return [b for b in every if set(words) <= set(b.words) and without not in b.words]


Run = Callable[..., None]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Runs blocks in the scratch folder, whose shop is the one that README.md's blocks have built."""
    place = tmp_path_factory.mktemp("newcomer")
    (place / "docs").symlink_to(ROOT / "docs")
    shims = place / "bin"
    shims.mkdir()
    (shims / "shopkeeper").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m cli "$@"\n')
    (shims / "shopkeeper").chmod(0o755)
    own = {k: v for k, v in os.environ.items() if not k.startswith(("SHOPKEEPER_", "OPENAI_", "LANGSMITH_"))}
    own |= {"PATH": f"{shims}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT), "PIP_NO_INDEX": "1"}
    own |= {"SHOPKEEPER_CACHE": str(place / "cache")}

    def runs(block: Block, **more: str) -> None:
        shell = [sys.executable, "-c"] if block.language == "python" else ["bash", "-euo", "pipefail", "-c"]
        done = subprocess.run(
            [*shell, block.text], cwd=place, env=own | more, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=280, check=False,
        )  # fmt: skip
        told = f"{block.page}:\n{block.text}\nended with {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert done.returncode == block.exits, told

    for block in _marked("runnable", without="model"):
        if block.page == "README.md":
            runs(block)
    return runs


def _named(block: Block) -> str:
    return f"{block.page}: {block.text.strip().splitlines()[-1]}"


@pytest.mark.slow
def test_readme_commands_build_the_corner_shop(run: Run) -> None:
    run(
        Block(
            "test",
            "sh",
            (),
            "test -s var/corner-shop/CURRENT && test -s var/corner-shop/versions/0001/report/report.md",
        )
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "block", [b for b in _marked("runnable", without="model") if b.page != "README.md"], ids=_named
)
def test_commands_of_the_pages_run(run: Run, block: Block) -> None:
    run(block)


@pytest.mark.slow
@pytest.mark.model
@pytest.mark.parametrize("block", _marked("runnable", "model"), ids=_named)
def test_commands_that_need_a_model_run(run: Run, block: Block, model_file: Path) -> None:
    name = next(spec.name for spec in CATALOGUE.values() if spec.file == model_file.name)
    run(block, SHOPKEEPER_LLM_MODEL=name, SHOPKEEPER_CACHE=str(model_file.parents[2]))


def test_there_is_something_to_run() -> None:
    assert {block.page for block in _marked("runnable")} >= {"README.md", "data.md", "engineer.md"}


# What the pages name -------------------------------------------------------------------------------------


def _code(page: Path) -> list[str]:
    """Every piece of code of a page that may hold a command: inline, and line by line of fenced blocks."""
    text = _text(page)
    fenced = [line.split(" #")[0] for b in blocks(page) if b.language == "sh" for line in b.text.splitlines()]
    return fenced + _INLINE.findall(_FENCE.sub("", text))


def _help(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    with pytest.raises(SystemExit) as ended:
        cli.main([*argv, "--help"])
    assert ended.value.code == 0
    return capsys.readouterr().out


def _flags(text: str) -> set[str]:
    return set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", text))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_and_flags_that_a_page_names_exist(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    known = {name: _flags(_help(capsys, name)) for name in COMMANDS}
    every = set().union(*known.values())
    for code in _code(page):
        called = re.findall(r"\bshopkeeper (\w[\w-]*)([^|;&]*)", code)
        for name, rest in called:
            assert name in known, f"{page.name}: there is no `shopkeeper {name}`"
            assert _flags(rest) <= known[name], (
                f"{page.name}: `shopkeeper {name}` has no {_flags(rest) - known[name]}"
            )
        if not called and code.startswith("--"):
            assert _flags(code) <= every, f"{page.name}: no command has {code}"


def test_every_command_and_flag_is_told_of(capsys: pytest.CaptureFixture[str]) -> None:
    listed = set(re.findall(r"^    (\w[\w-]*)(?: |$)", _help(capsys), re.MULTILINE))
    assert listed == set(COMMANDS)
    told = "\n".join(map(_text, PAGES))
    for name in COMMANDS:
        assert re.search(rf"`shopkeeper {name}\b", told), f"no page tells of `shopkeeper {name}`"
        missing = {flag for flag in _flags(_help(capsys, name)) - {"--help"} if f"`{flag}" not in told}
        assert not missing, f"no page tells of {missing} of `shopkeeper {name}`"


def test_variables_are_the_ones_that_are_read() -> None:
    pattern = re.compile(r"\b(?:SHOPKEEPER_[A-Z_]+|XDG_CACHE_HOME)\b")
    read = set(pattern.findall(_text(ROOT / "settings.py")))
    told = {name for page in PAGES for name in pattern.findall(_text(page))}
    assert told - _TEMPORARY == read
    assert all(name in _text(ROOT / "tests" / "conftest.py") for name in told & _TEMPORARY)


def test_make_targets_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", _text(ROOT / "Makefile"), re.MULTILINE))
    named = {
        t for page in PAGES for code in _code(page) for t in re.findall(r"^make ([a-z]+)$", code.strip())
    }
    assert {"run", "test"} <= named <= targets


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", _FENCE.sub("", _text(page))):
        if not re.match(r"https?:|#", target):
            assert (page.parent / target.split("#")[0]).exists(), f"{page.name} links to {target}"


def test_questions_of_the_readme_are_among_the_judged_ones() -> None:
    judged = {
        json.loads(line)["question"] for line in _text(ROOT / "eval" / "cases" / "first.jsonl").splitlines()
    }
    table = re.findall(r"^\| ([^|]+) \| ", _text(ROOT / "README.md"), re.MULTILINE)
    shown = [question for question in table if question[-1] in "?？." and not question.startswith("…")]
    assert len(shown) >= 6
    assert set(shown) <= judged


def test_the_described_reply_is_the_reply() -> None:
    (block,) = [b for page in PAGES for b in blocks(page) if "reply" in b.words]
    told = json.loads(block.text)
    reply = Reply(
        "", "en", "answer", (Step("", {}, 0.0, 0),), (Citation(1, "", "", 0),), (Offer("", "", 0.0, ""),),
        Handoff("", ""), Grounding(), Usage(), dict.fromkeys(("link", "plan", "act", "answer", "verify", "total"), 0.0),
    )  # fmt: skip
    assert _shape(told) == _shape(reply.to_dict())


def _shape(value: object) -> object:
    """Keys of objects, all the way down; arguments of a step are the step's own."""
    if isinstance(value, dict):
        return {key: _shape(inner) for key, inner in value.items() if key != "args"}
    if isinstance(value, list | tuple):
        return [_shape(inner) for inner in value]
    return None


def test_described_mappings_can_be_read() -> None:
    found = [b for page in PAGES for b in blocks(page) if b.language == "yaml"]
    mappings = [b for b in found if "files:" in b.text]
    assert mappings
    for block in mappings:
        assert Mapping.from_yaml(block.text, block.page).files


def test_described_rules_can_be_read(tmp_path: Path) -> None:
    (block,) = [b for b in blocks(ROOT / "docs" / "merchandiser.md") if b.language == "yaml"]
    (tmp_path / RULES_FILE).write_text(block.text, encoding="utf-8")
    assert read_rules(tmp_path)


def test_the_example_is_what_its_script_writes(tmp_path: Path) -> None:
    script = tmp_path / "make_example.py"
    script.write_bytes((EXAMPLE / "make_example.py").read_bytes())
    subprocess.run([sys.executable, str(script)], check=True)
    for file in sorted(EXAMPLE.glob("*.csv")):
        assert (tmp_path / file.name).read_bytes() == file.read_bytes(), file.name


def test_the_example_is_understood_without_help() -> None:
    tables = {entry.path: entry.table for entry in guess_mapping([EXAMPLE]).files}
    assert tables == {"customers.csv": "customers", "events.csv": "events", "products.csv": "products"}

"""The clients' scripts of docs/api.md run as they stand, against a shop with a scripted model."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.api_server import Served, served
from tests.test_docs import ROOT, Block, blocks

SCRIPTS = [b for b in blocks(ROOT / "docs" / "api.md") if "client" in b.words]


@pytest.fixture(scope="module")
def api() -> Iterator[Served]:
    with served() as running:
        yield running


def test_there_are_scripts_for_each_way_of_asking() -> None:
    told = "\n".join(block.text for block in SCRIPTS)
    assert all(word in told for word in ("curl", "from openai import", "from mcp import", "/v1/feedback"))


@pytest.mark.slow
@pytest.mark.parametrize("block", SCRIPTS, ids=lambda b: b.text.strip().splitlines()[0][:40])
def test_the_scripts_run(api: Served, block: Block) -> None:
    shell = [sys.executable, "-c"] if block.language == "python" else ["bash", "-euo", "pipefail", "-c"]
    own = {k: v for k, v in os.environ.items() if not k.startswith(("SHOPKEEPER_", "OPENAI_"))}
    own |= {"SHOP_URL": api.url, "SHOP_KEY": api.keys["service"], "NO_PROXY": "127.0.0.1"}
    done = subprocess.run(
        [*shell, block.text], env=own, capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, f"{block.text}\n{done.stdout}\n{done.stderr}"
    assert done.stdout.strip()

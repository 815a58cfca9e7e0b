"""schemathesis finds nothing: whatever the OpenAPI document allows is served, all else is refused as it says.

More examples: SCHEMA_EXAMPLES=300 python -m pytest tests/test_api_schema.py
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.api_server import served

EXAMPLES = int(os.environ.get("SCHEMA_EXAMPLES", "3"))
ROOT = Path(__file__).parents[1]


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_schemathesis_finds_nothing(tmp_path: Path) -> None:
    with served() as api:
        words = [
            "--config-file", str(ROOT / "tests" / "schemathesis.toml"), "run", f"{api.url}/openapi.json",
            "--header", f"Authorization: Bearer {api.keys['admin']}", "--phases", "examples,coverage,fuzzing",
            "--max-examples", str(EXAMPLES), "--continue-on-failure", "--request-timeout", "60",
            "--generation-database", "none", "--seed", "1",
        ]  # fmt: skip
        done = subprocess.run(
            [str(Path(sys.executable).with_name("schemathesis")), *words], cwd=tmp_path, capture_output=True, text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT), "NO_PROXY": "127.0.0.1"}, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]

"""The examples print what their READMEs show."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from real import BINARY

EXAMPLES = Path(__file__).parents[3] / "examples"

pytestmark = pytest.mark.skipif(BINARY is None, reason="CAMPANILE_BIN names no server")


@pytest.mark.parametrize("name", ["python-bot", "product-python"])
def test_example_prints_what_its_readme_shows(name: str) -> None:
    """To the letter."""
    assert BINARY
    own = {key: value for key, value in os.environ.items() if not key.startswith("CAMPANILE_")}
    path = str(Path(__file__).parents[1] / "src")
    done = subprocess.run(
        [sys.executable, "-W", "error", "demo.py"],
        cwd=EXAMPLES / name,
        env={**own, "CAMPANILE_BIN": str(Path(BINARY).resolve()), "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    blocks = (EXAMPLES / name / "README.md").read_text("utf-8").split("```\n")[1::2]
    (shown,) = [block for block in blocks if "told" in block]
    assert done.stdout == shown

"""Every conformance script, against the client."""

import json
from typing import Any

import pytest
from script import SCRIPTS, Player

STORIES = [json.loads(path.read_text("utf-8")) for path in sorted(SCRIPTS.glob("*.json"))]


def test_there_are_scripts() -> None:
    """Nothing would be proved by none."""
    assert STORIES


@pytest.mark.parametrize("story", STORIES, ids=lambda story: str(story["name"]))
async def test_script(story: dict[str, Any]) -> None:
    """The client does what the script says."""
    await Player(story).play()

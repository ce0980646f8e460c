"""What tests are given."""

from collections.abc import AsyncIterator

import pytest
from scripted import ScriptedServer


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    """A server that says what a test has it say."""
    async with ScriptedServer() as running:
        yield running

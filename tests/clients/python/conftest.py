"""One server for each file of tests."""

from collections.abc import Iterator

import pytest
from server import Server


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server that runs."""
    with Server() as running:
        yield running

"""wss through Python's `websockets`, with a certificate of a test authority."""

import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from client import assert_quiet, closed, received
from server import Server
from tokens import product_token, workspace_token
from websockets.asyncio.client import connect

SCRIPT = Path(__file__).parent.parent / "certificates.sh"


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that speaks TLS."""
    directory = tmp_path_factory.mktemp("certificates")
    subprocess.run([SCRIPT, directory], check=True)
    with Server(certificates=directory) as running:
        yield running


async def test_both_surfaces_within_tls(secured: Server) -> None:
    async with connect(secured.workspace(workspace_token("alice")), ssl=secured.tls) as socket:
        sent = secured.publish("acme", "alice")
        assert (await received(socket))["id"] == sent
        await assert_quiet(socket)
    async with connect(secured.product(product_token("alice")), ssl=secured.tls) as socket:
        assert (await received(socket))["type"] == "CONNECTION_ESTABLISHED"
        sent = secured.publish("default", "alice")
        assert (await received(socket))["id"] == sent
    async with connect(secured.workspace("nonsense"), ssl=secured.tls) as socket:
        assert await closed(socket) == (4001, "unauthorized")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_versions(secured: Server, version: ssl.TLSVersion) -> None:
    context = secured.trusting()
    context.minimum_version = context.maximum_version = version
    async with connect(secured.workspace(workspace_token("bob")), ssl=context) as socket:
        await assert_quiet(socket)


async def test_who_does_not_trust_the_authority_does_not_connect(secured: Server) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        await connect(secured.workspace(workspace_token("carol")), ssl=ssl.create_default_context())

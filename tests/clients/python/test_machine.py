"""A service account, as a backend uses one: token by client credentials, publish, listen by ticket."""

import base64
import json
import urllib.parse
import urllib.request
from typing import Any

from client import closed, received
from server import LIMIT, Server
from tokens import seconds, sign, workspace_token
from websockets.asyncio.client import connect


def _answer(server: Server, path: str, headers: dict[str, str], data: bytes) -> Any:
    url = server.ws(path).replace("ws://", "http://")
    request = urllib.request.Request(url, data, headers, method="POST")
    with urllib.request.urlopen(request, timeout=LIMIT) as answer:
        return json.load(answer)


def _account(server: Server, name: str) -> Any:
    claims = {"userId": "admin", "workspaces": ["acme"], "scope": "admin", "exp": seconds() + 60}
    headers = {"authorization": f"Bearer {sign(claims)}", "content-type": "application/json"}
    body = json.dumps({"name": name, "scopes": ["notifications:write"]}).encode()
    return _answer(server, "/v1/workspaces/acme/service-accounts", headers, body)


def _token(server: Server, account: Any) -> str:
    pair = f"{account['clientId']}:{account['clientSecret']}".encode()
    headers = {
        "authorization": f"Basic {base64.b64encode(pair).decode()}",
        "content-type": "application/x-www-form-urlencoded",
    }
    form = urllib.parse.urlencode({"grant_type": "client_credentials"}).encode()
    answer = _answer(server, "/oidc/token", headers, form)
    assert (answer["token_type"], answer["expires_in"]) == ("Bearer", 3600)
    return str(answer["access_token"])


async def test_a_machine_publishes(server: Server) -> None:
    token = _token(server, _account(server, "publisher"))
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    async with connect(server.workspace(workspace_token("alice"))) as socket:
        body = {"to": {"user": "alice"}, "title": "A title", "message": "From a machine"}
        data = json.dumps(body).encode()
        sent = _answer(server, "/v1/workspaces/acme/notifications", headers, data)
        frame = await received(socket)
        assert (frame["id"], frame["message"]) == (sent["id"], "From a machine")


async def test_a_ticket_opens_one_socket(server: Server) -> None:
    account = _account(server, "listener")
    headers = {"authorization": f"Bearer {_token(server, account)}"}
    ticket = _answer(server, "/v1/tickets", headers, b"")["ticket"]
    address = server.ws(f"/?ticket={ticket}&workspaceSlug=acme")
    async with connect(address) as socket:
        sent = server.publish("acme", account["user"])
        assert (await received(socket))["id"] == sent
        async with connect(address) as again:
            assert await closed(again) == (4001, "unauthorized")

"""A server of its own, a shop that tells of its products, and the client of client.py."""

import asyncio
import json
import os
import subprocess
import tempfile
import urllib.request
from contextlib import aclosing
from typing import Any

from client import Notifications

CAMPANILE = os.environ.get("CAMPANILE_BIN", "campanile")


class Shop:
    """What the backend does: gives tokens, and tells alice of her products."""

    def __init__(self, data: str, address: str) -> None:
        self._data = data
        self.address = address

    def token(self, *options: str) -> str:
        """A token, signed with the server's local key. A real shop signs its own, for whoever has logged in."""
        command = [CAMPANILE, "token", *options, "--data", self._data]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def tell(self, product: str, message: str) -> None:
        """Publishes one notification to alice."""
        token = self.token("--user", "shop", "--workspace", "default", "--scope", "notifications:write")
        note = {
            "to": {"user": "alice"},
            "title": product,
            "message": message,
            "type": "warning",
            "productName": product,
        }
        self.call("/v1/workspaces/default/notifications", token, note)

    def call(self, path: str, token: str, body: object = None) -> Any:
        """Calls the API."""
        headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(urllib.request.Request(f"http://{self.address}{path}", data, headers)) as answer:
            return json.load(answer)


async def visit(shop: Shop, expected: int) -> None:
    """Alice opens the page, deals with so many notifications, and leaves."""
    notifications = Notifications(f"ws://{shop.address}", lambda: shop.token("--user", "alice", "--product"))
    async with aclosing(aiter(notifications)) as coming:
        for _ in range(expected):
            notification = await anext(coming)
            print(f"  {notifications.user} is told: {notification['message']} ({notification['productName']})")
            await notifications.mark_read(notification["id"])


async def story(shop: Shop) -> None:
    """What the README shows."""
    print("alice is there, and the shop tells of milk")
    visiting = asyncio.create_task(visit(shop, expected=1))
    await asyncio.to_thread(shop.tell, "Milk", "Milk expires tomorrow")
    await visiting
    print("alice is away, and the shop tells of bread")
    await asyncio.to_thread(shop.tell, "Bread", "Bread has expired")
    print("alice is back")
    await visit(shop, expected=1)
    listed = await read_list(shop)
    print(f"her list has {len(listed)} notifications, and she has read {sum(entry['isRead'] for entry in listed)}")


async def read_list(shop: Shop) -> list[dict[str, Any]]:
    """Her list, once everything in it is read: marking has no answer in the documents, so this looks a few times."""
    token = shop.token("--user", "alice", "--product")
    listed: list[dict[str, Any]] = []
    for _ in range(50):
        listed = (await asyncio.to_thread(shop.call, "/api/notification/list", token))["notifications"]
        if all(entry["isRead"] for entry in listed):
            break
        await asyncio.sleep(0.1)
    return listed


async def main() -> None:
    """Runs the story against a server on a free port, with a directory of its own."""
    with tempfile.TemporaryDirectory(prefix="campanile-product-") as data:
        server = await asyncio.create_subprocess_exec(
            CAMPANILE, "serve", "--listen", "127.0.0.1:0", "--data", data, stderr=subprocess.PIPE
        )
        assert server.stderr
        try:
            while line := await server.stderr.readline():
                entry = json.loads(line) if line.startswith(b"{") else {}
                if entry.get("message") == "listening":
                    draining = asyncio.create_task(server.stderr.read())
                    await story(Shop(data, entry["address"]))
                    break
        finally:
            server.terminate()
            await server.wait()
        await draining


if __name__ == "__main__":
    asyncio.run(main())

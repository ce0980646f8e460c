"""A server of its own, people with questions, and the bot of bot.py, which is not always there."""

import asyncio
import json
import os
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from bot import WORKSPACE, Bot

from campanile import Campanile, Publisher, State

CAMPANILE = os.environ.get("CAMPANILE_BIN", "campanile")


class Desk:
    """The server's address, and tokens for whoever is there."""

    def __init__(self, directory: str, address: str) -> None:
        self._directory = directory
        self.url = f"http://{address}"
        self._number = 0

    def token(self, user: str) -> str:
        """Signed with the server's local key. A real help desk signs its own, for whoever has logged in."""
        names = ["--user", user, "--workspace", WORKSPACE, "--scope", "notifications:write"]
        command = [CAMPANILE, "token", *names, "--data", self._directory]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    async def open_ticket(self, user: str, title: str) -> None:
        """Somebody asks something: the bot is told."""
        self._number += 1
        print(f"{user} opens ticket {self._number}: {title}")
        said = {"number": self._number, "by": user}
        ticket = {"to": {"user": "bot"}, "type": "ticket_opened", "title": title, "metadata": said, "message": ""}
        await Publisher(self.url, WORKSPACE, self.token(user)).publish(ticket)

    @asynccontextmanager
    async def bot(self) -> AsyncIterator[None]:
        """The bot, as long as the block lasts."""
        bot = asyncio.create_task(Bot(self.url, self.token("bot"), Path(self._directory) / "place.json").run())
        try:
            yield
        finally:
            bot.cancel()
            await asyncio.wait((bot,))

    @asynccontextmanager
    async def person(self, user: str) -> AsyncIterator[Campanile]:
        """Somebody who waits for an answer."""
        async with Campanile(self.url, WORKSPACE, self.token(user)) as client:
            await client.until(lambda snapshot: snapshot.state is State.LIVE)
            yield client


async def story(desk: Desk) -> None:
    """What the README shows."""
    async with desk.person("ada") as ada, desk.person("grace") as grace:
        answers = {"ada": ada.notifications(), "grace": grace.notifications()}

        async def hears(user: str) -> None:
            answer = await anext(answers[user])
            print(f"  {user} is told: {answer.title}. {answer.message}")

        async with desk.bot():
            await desk.open_ticket("ada", "The engine is stuck")
            await hears("ada")
        print("the bot is away")
        await desk.open_ticket("grace", "There is a moth in the relay")
        await desk.open_ticket("ada", "It turns the wrong way now")
        print("the bot is back")
        async with desk.bot():
            await hears("grace")
            await hears("ada")
        for user, client in (("ada", ada), ("grace", grace)):
            await client.read_all()
            print(f"{user} had {len(client.snapshot.items)}, unread {client.snapshot.unread}")


async def main() -> None:
    """Runs the story against a server on a free port, with a directory of its own."""
    with tempfile.TemporaryDirectory(prefix="campanile-bot-") as directory:
        server = await asyncio.create_subprocess_exec(
            CAMPANILE, "serve", "--listen", "127.0.0.1:0", "--data", directory, stderr=subprocess.PIPE
        )
        assert server.stderr
        try:
            while line := await server.stderr.readline():
                entry = json.loads(line) if line.startswith(b"{") else {}
                if entry.get("message") == "listening":
                    draining = asyncio.create_task(server.stderr.read())
                    await story(Desk(directory, entry["address"]))
                    break
        finally:
            server.terminate()
            await server.wait()
        await draining


if __name__ == "__main__":
    asyncio.run(main())

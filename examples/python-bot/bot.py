"""A bot at a help desk: it answers each ticket once, whatever breaks, and however often it is started.

CAMPANILE_URL, CAMPANILE_TOKEN (a user's, with the scope notifications:write) and a file for its place:
python bot.py place.json
"""

import asyncio
import json
import os
import sys
from pathlib import Path

from campanile import Campanile, Notification, Position, Publisher

WORKSPACE = "helpdesk"


class Bot:
    """Reads what it is told, and answers."""

    def __init__(self, url: str, token: str, place: Path) -> None:
        self._publisher = Publisher(url, WORKSPACE, token)
        self._place = place
        self._client = Campanile(url, WORKSPACE, token, resume=self._saved())

    async def run(self) -> None:
        """Until it is cancelled."""
        async with self._client:
            async for notification in self._client:
                if notification.type == "ticket_opened":
                    await self._answer(notification)
                    await self._client.read(notification.id)
                # Only now: what is interrupted before is done again, under the same key.
                self._save(notification.position)

    async def _answer(self, ticket: Notification) -> None:
        said = ticket.metadata
        answer = {
            "to": {"user": said["by"]},
            "type": "ticket_taken",
            "title": f"Ticket {said['number']} is taken",
            "message": f"We look into it: {ticket.title}",
        }
        await self._publisher.publish(answer, idempotency_key=f"taken-{ticket.id}")

    def _saved(self) -> Position:
        if not self._place.exists():
            return Position.start()
        return Position.from_json(json.loads(self._place.read_text()))

    def _save(self, position: Position | None) -> None:
        if position:
            draft = self._place.with_suffix(".new")
            draft.write_text(json.dumps(position.to_json()))
            draft.replace(self._place)


if __name__ == "__main__":
    asyncio.run(Bot(os.environ["CAMPANILE_URL"], os.environ["CAMPANILE_TOKEN"], Path(sys.argv[1])).run())

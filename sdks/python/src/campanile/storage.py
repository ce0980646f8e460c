"""Where waiting actions outlive the process. Tokens never come here."""

import asyncio
import contextlib
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol


class Storage(Protocol):
    """Keeps small texts by name. One name is used by one client at a time."""

    async def get(self, name: str) -> str | None:
        """What was set last, or `None`."""
        ...

    async def set(self, name: str, text: str) -> None:
        """Keeps this in place of what was there: all of it or, after a crash, all of the former."""
        ...

    async def erase(self, prefix: str) -> None:
        """Forgets everything whose name begins so. Nothing happens if there is none."""
        ...


def user_key(base: str, user: str) -> str:
    """How all names begin of what is kept of a user of a server. It begins no name of another user."""
    return json.dumps([1, base, user])


def name_of(base: str, user: str, surface: str, workspace: str | None) -> str:
    """The name of what waits to be done by a user in one workspace. The first part of the key is the form of that."""
    return f"{user_key(base, user)} {surface} {workspace or ''} queue"


class MemoryStorage:
    """Outlives a client, not the process."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}

    async def get(self, name: str) -> str | None:
        """See `Storage`."""
        return self.texts.get(name)

    async def set(self, name: str, text: str) -> None:
        """See `Storage`."""
        self.texts[name] = text

    async def erase(self, prefix: str) -> None:
        """See `Storage`."""
        self.texts = {name: text for name, text in self.texts.items() if not name.startswith(prefix)}


class FileStorage:
    """A file for each name in a directory, readable by its owner alone. Its first line is the name, as JSON."""

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        """`directory` is made when it is needed."""
        self._directory = Path(directory)

    async def get(self, name: str) -> str | None:
        """See `Storage`. `OSError` if it can't be read."""
        return await asyncio.to_thread(self._load, name)

    async def set(self, name: str, text: str) -> None:
        """See `Storage`. `OSError` if it can't be written."""
        await asyncio.to_thread(self._save, name, text)

    async def erase(self, prefix: str) -> None:
        """See `Storage`. `OSError` if something can't be removed."""
        await asyncio.to_thread(self._erase, prefix)

    def _load(self, name: str) -> str | None:
        try:
            return self._path(name).read_text("utf-8").partition("\n")[2]
        except FileNotFoundError:
            return None

    def _save(self, name: str, text: str) -> None:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._path(name)
        draft = path.with_suffix(".new")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(f"{json.dumps(name)}\n{text}")
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)

    def _erase(self, prefix: str) -> None:
        for path, name in self._named():
            if name.startswith(prefix):
                with contextlib.suppress(FileNotFoundError):
                    path.unlink()

    def _named(self) -> Iterator[tuple[Path, str]]:
        """All files with the names they are of; also what a crash left half written, if that has a name."""
        if not self._directory.exists():
            return
        for path in self._directory.iterdir():
            with contextlib.suppress(FileNotFoundError, ValueError):
                if not path.name.startswith("campanile-"):
                    continue
                with path.open(encoding="utf-8") as file:
                    name = json.loads(file.readline())
                if isinstance(name, str):
                    yield path, name

    def _path(self, name: str) -> Path:
        # Users and slugs may hold what a file's name can't.
        return self._directory / f"campanile-{hashlib.sha256(name.encode()).hexdigest()[:32]}.kept"

"""Where waiting actions outlive the process. Tokens never come here."""

import asyncio
import contextlib
import hashlib
import os
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

    async def delete(self, name: str) -> None:
        """Forgets it. Nothing happens if there is none."""
        ...


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

    async def delete(self, name: str) -> None:
        """See `Storage`."""
        self.texts.pop(name, None)


class FileStorage:
    """A file for each name in a directory, readable by its owner alone."""

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        """`directory` is made when it is needed."""
        self._directory = Path(directory)

    async def get(self, name: str) -> str | None:
        """See `Storage`. `OSError` if it can't be read."""
        return await asyncio.to_thread(self._load, name)

    async def set(self, name: str, text: str) -> None:
        """See `Storage`. `OSError` if it can't be written."""
        await asyncio.to_thread(self._save, name, text)

    async def delete(self, name: str) -> None:
        """See `Storage`. `OSError` if it can't be removed."""
        await asyncio.to_thread(self._erase, name)

    def _load(self, name: str) -> str | None:
        try:
            return self._path(name).read_text("utf-8")
        except FileNotFoundError:
            return None

    def _save(self, name: str, text: str) -> None:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._path(name)
        draft = path.with_suffix(".new")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)

    def _erase(self, name: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            self._path(name).unlink()

    def _path(self, name: str) -> Path:
        # Users and slugs may hold what a file's name can't.
        return self._directory / f"campanile-{hashlib.sha256(name.encode()).hexdigest()[:32]}.json"

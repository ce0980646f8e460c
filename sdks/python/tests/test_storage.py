"""Where waiting actions are kept."""

from pathlib import Path

import pytest

from campanile import CampanileError, FileStorage, MemoryStorage, Storage, StorageFailed
from campanile.actions import Action
from campanile.pending import Pending
from campanile.surface.native import Native


@pytest.mark.parametrize("kind", ["file", "memory"])
async def test_keeps_and_erases(kind: str, tmp_path: Path) -> None:
    """By name, whatever characters it has."""
    storage: Storage = FileStorage(tmp_path / "deep" / "er") if kind == "file" else MemoryStorage()
    assert await storage.get("https://h/w/../../etc\0/ü") is None
    await storage.set("https://h/w/../../etc\0/ü", "one")
    await storage.set("https://h/w/../../etc\0/ü", "two")
    await storage.set("other", "three")
    assert await storage.get("https://h/w/../../etc\0/ü") == "two"
    await storage.delete("https://h/w/../../etc\0/ü")
    await storage.delete("https://h/w/../../etc\0/ü")
    assert await storage.get("https://h/w/../../etc\0/ü") is None
    assert await storage.get("other") == "three"


async def test_files_are_their_owners(tmp_path: Path) -> None:
    """What somebody reads is nobody else's business."""
    await FileStorage(tmp_path / "own").set("a", "text")
    (file,) = (tmp_path / "own").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", ["", "{", "[1]", '[{"kind":"explode","key":"k"}]', '{"a":1}', "null"])
async def test_what_nobody_understands_is_nothing(text: str) -> None:
    """A broken file stops no client."""
    storage = MemoryStorage()
    storage.texts["n"] = text
    pending = Pending(Native(), storage, lambda error: pytest.fail(repr(error)))
    await pending.open("n")
    assert len(pending.actions) == 0


async def test_a_storage_that_fails_is_told_and_costs_no_more(tmp_path: Path) -> None:
    """The action is sent all the same."""
    (tmp_path / "file").write_text("")
    errors: list[CampanileError] = []
    pending = Pending(Native(), FileStorage(tmp_path / "file" / "below"), errors.append)
    await pending.open("n")
    pending.add(Action("read", "k", "a"))
    await pending.flush()
    sent: list[str] = []

    def send(text: str) -> bool:
        sent.append(text)
        return True

    pending.pump(None, send)
    await pending.flush()
    assert len(sent) == 1
    assert errors
    assert {type(error) for error in errors} == {StorageFailed}

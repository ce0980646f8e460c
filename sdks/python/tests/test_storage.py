"""Where waiting actions are kept."""

from pathlib import Path

import pytest

from campanile import CampanileError, FileStorage, MemoryStorage, Storage, StorageFailed
from campanile.actions import Action
from campanile.clock import SystemClock
from campanile.pending import Pending
from campanile.storage import name_of, user_key
from campanile.surface.native import Native

NAME = "https://h/w/../../etc\0/ü\nsecond line"


def _storage(kind: str, directory: Path) -> Storage:
    return FileStorage(directory / "deep" / "er") if kind == "file" else MemoryStorage()


def _files(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()}


@pytest.mark.parametrize("kind", ["file", "memory"])
async def test_keeps_by_name(kind: str, tmp_path: Path) -> None:
    """Whatever characters it has."""
    storage = _storage(kind, tmp_path)
    assert await storage.get(NAME) is None
    await storage.set(NAME, "one")
    await storage.set(NAME, "two\nthree")
    await storage.set("other", "")
    assert await storage.get(NAME) == "two\nthree"
    assert await storage.get("other") == ""


@pytest.mark.parametrize("kind", ["file", "memory"])
async def test_erases_all_whose_name_begins_so(kind: str, tmp_path: Path) -> None:
    """And nothing else."""
    storage = _storage(kind, tmp_path)
    await storage.erase("")
    names = [name_of("https://h", user, "native", place) for user in ("al", "alice") for place in ("w1", "w2")]
    elsewhere = name_of("https://h/al", "al", "native", "w1")
    for name in (*names, elsewhere):
        await storage.set(name, name)
    await storage.erase(user_key("https://h", "al"))
    await storage.erase(user_key("https://h", "al"))
    assert [await storage.get(name) for name in (*names, elsewhere)] == [None, None, *names[2:], elsewhere]


async def test_what_a_crash_left_is_erased_and_what_is_not_ours_stays(tmp_path: Path) -> None:
    """A file that is half written has its name already."""
    storage = FileStorage(tmp_path)
    await storage.set("alice", "text")
    (file,) = _files(tmp_path)
    (tmp_path / file).rename((tmp_path / file).with_suffix(".new"))
    foreign = {"campanile-1.kept": b"[]", "campanile-2.kept": b"\xff", "campanile-3.kept": b"", "alice": b'"alice"'}
    for name, content in foreign.items():
        (tmp_path / name).write_bytes(content)
    await storage.erase("alice")
    assert _files(tmp_path) == set(foreign)


async def test_what_can_not_be_looked_for_is_not_erased_without_a_word(tmp_path: Path) -> None:
    """It is told."""
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError):
        await FileStorage(tmp_path / "file").erase("alice")


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
    pending = Pending(Native(), storage, lambda error: pytest.fail(repr(error)), SystemClock())
    await pending.open("n")
    assert len(pending.actions) == 0


async def test_a_storage_that_fails_is_told_and_costs_no_more(tmp_path: Path) -> None:
    """The action is sent all the same."""
    (tmp_path / "file").write_text("")
    errors: list[CampanileError] = []
    pending = Pending(Native(), FileStorage(tmp_path / "file" / "below"), errors.append, SystemClock())
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

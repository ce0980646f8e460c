"""Clients that share a storage are one device: who signs out by one of them is signed out by all."""

import asyncio
import weakref
from typing import TYPE_CHECKING, Any

from .storage import Storage

if TYPE_CHECKING:
    from .client import Campanile


class Device:
    """The clients of this process that were given the same storage, as long as somebody holds them."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self.clients: weakref.WeakSet[Campanile] = weakref.WeakSet()
        self.ending: weakref.WeakSet[asyncio.Task[Any]] = weakref.WeakSet()
        """Tasks of theirs that are cancelled, and waited for."""


_devices: "weakref.WeakValueDictionary[int, Device]" = weakref.WeakValueDictionary()
"""By the identity of the storage: that is nobody else's as long as its device is there."""


def device_of(storage: Storage) -> Device:
    """The one of this storage. Whoever is one of its clients holds it."""
    device = _devices.get(id(storage))
    if device is None:
        device = _devices[id(storage)] = Device(storage)
    return device

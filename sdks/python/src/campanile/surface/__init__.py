"""The three wire protocols: frames to what happened, and back. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol
from urllib.parse import quote

from ..actions import Action
from ..notification import Position
from .event import Event

SurfaceName = Literal["native", "workspace", "product"]


@dataclass(frozen=True)
class Address:
    """Where a socket is opened. May hold a token: never to be shown, and its `repr` shows nothing."""

    path: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    subprotocol: str | None = None


class Surface(Protocol):
    """One wire protocol. It has no state; every frame is judged alone."""

    name: SurfaceName
    numbered: bool
    """Whether entries have places, so that counts and order are the server's."""
    ping: Literal["text", "frame"] | None
    """How the client asks for a sign of life; `None` where the server sends heartbeats."""

    def address(self, token: str, workspace: str, position: Position | None, last_id: str | None) -> Address:
        """Where to dial, to go on from a position or from the last entry that was received."""
        ...

    def read(self, frame: Mapping[str, Any]) -> Event | None:
        """What a frame says; `None` for a kind that is unknown, which is to be ignored.

        `KeyError`, `TypeError` or `ValueError` for a known kind that lacks what it must have."""
        ...

    def command(self, action: Action, ref: str) -> str | None:
        """An action as text, or `None` if the surface has no word for it. `ref` comes back in the answer."""
        ...

    def answered(self, action: Action) -> bool:
        """Whether the server answers this command. If not, it is done once it is sent."""
        ...


def query(path: str, parameters: Mapping[str, str | int | None]) -> str:
    """A path with these parameters; those that are `None` are left out."""
    stated = [f"{name}={quote(str(value), safe='')}" for name, value in parameters.items() if value is not None]
    return f"{path}?{'&'.join(stated)}" if stated else path


def surface_of(name: SurfaceName) -> Surface:
    """The surface of this name; `ValueError` for another."""
    from .native import Native
    from .product import Product
    from .workspace import Workspace

    known: dict[str, type[Surface]] = {"native": Native, "workspace": Workspace, "product": Product}
    if name not in known:
        raise ValueError("surface is native, workspace or product")
    return known[name]()

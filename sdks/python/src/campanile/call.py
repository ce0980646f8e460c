"""Calls of the program's own functions. Whoever is inside of one can't wait for its end."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any


class Call:
    """What runs within it, and within the tasks that it made, is inside of it until it is over."""

    def __init__(self, task: "asyncio.Task[Any] | None") -> None:
        """`task`: with whose end it ends."""
        self.task = task
        self.over = False


_inside: ContextVar[Call | None] = ContextVar("campanile_call", default=None)


@contextmanager
def calling() -> Iterator[None]:
    """A call that ends with this task."""
    with _within(Call(asyncio.current_task())):
        yield


@contextmanager
def calling_further() -> Iterator[None]:
    """One that ends with the same task as the call that it is inside of."""
    outer = _inside.get()
    with _within(Call(outer.task if outer else None)):
        yield


def task_inside_of() -> "asyncio.Task[Any] | None":
    """The task that can't end before whoever asks goes on; `None` where there is none."""
    call = _inside.get()
    return None if call is None or call.over else call.task


@contextmanager
def _within(call: Call) -> Iterator[None]:
    token = _inside.set(call)
    try:
        yield
    finally:
        call.over = True
        _inside.reset(token)

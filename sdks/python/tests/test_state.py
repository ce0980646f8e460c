"""The state machine, without a client."""

import pytest

from campanile import CLOSE_CODES, Backoff, CloseCode, End, State
from campanile.state import Machine


def _live(machine: Machine, now: float) -> None:
    machine.handle_options(True)
    machine.handle_live(now)
    assert machine.state is State.LIVE


@pytest.mark.parametrize("entry", CLOSE_CODES, ids=lambda entry: entry.name)
def test_every_close_code_does_what_the_registry_says(entry: CloseCode) -> None:
    """Final where it says no; asked for another token where that helps."""
    code, reason, _, come_back = entry
    machine = Machine(Backoff())
    _live(machine, 0)
    machine.handle_end(End.closed(code, reason), 1, 0.5)
    assert machine.state is (State.REFUSED if come_back == "no" else State.WAITING)
    assert machine.ask == ("expired" if come_back == "with_new_token" else "reconnect")
    assert machine.reason
    assert machine.reason.code == code


@pytest.mark.parametrize(("code", "reason"), [(1006, ""), (1012, "restart"), (4500, "who knows"), (3000, "")])
def test_unknown_codes_are_no_dead_end(code: int, reason: str) -> None:
    """What is not in the registry may be a proxy's."""
    assert End.closed(code, reason).come_back == "yes"


def test_policy_in_other_words() -> None:
    """1008 with words that are not ours: only what expired has a cure."""
    assert End.closed(1008, "Token has expired").come_back == "with_new_token"
    assert End.closed(1008, "go away").come_back == "no"


def test_refusals_before_the_upgrade() -> None:
    """A problem of the registry can be final; a proxy's answer never is."""
    assert End.refused(403, "origin_refused", None).come_back == "no"
    assert End.refused(403, None, None).come_back == "yes"
    assert End.refused(409, "connection_in_use", 3.0).come_back == "yes"
    assert End.refused(503, "overloaded", 5.0).retry_after == 5.0


def test_the_servers_word_on_when_wins() -> None:
    """Whatever the back-off would be."""
    machine = Machine(Backoff())
    _live(machine, 0)
    machine.handle_end(End.closed(1001, "server shutting down", retry_after=7.5), 100, 0.9)
    assert machine.retry_at == 107.5
    states = []
    for now in (107.4, 107.5):
        machine.handle_time(now)
        states.append(machine.state)
    assert states == [State.WAITING, State.CONNECTING]


def test_failures_are_forgotten_after_thirty_seconds_only() -> None:
    """A server that accepts and drops at once is no stable one."""
    machine = Machine(Backoff())
    waits = []
    now = 0.0
    for stay in (0, 0, 0, 29.9, 30):
        machine.handle_options(True) if now == 0 else machine.handle_time(now)
        machine.handle_live(now)
        machine.handle_end(End("network"), now + stay, 1.0)
        assert machine.retry_at is not None
        waits.append(machine.retry_at - now - stay)
        now = machine.retry_at
    assert waits == pytest.approx([1.0, 1.5, 2.5, 4.5, 1.0])


def test_suspended_until_woken() -> None:
    """No network: nothing is tried; then it comes back within a second."""
    machine = Machine(Backoff())
    _live(machine, 0)
    machine.handle_suspend()
    machine.handle_time(10_000)
    assert machine.state is State.SUSPENDED
    machine.handle_wake(10_000, 0.25)
    assert (machine.state, machine.retry_at) == (State.WAITING, 10_000.25)


def test_refused_is_left_by_retry_or_other_options() -> None:
    """And by nothing else."""
    machine = Machine(Backoff())
    _live(machine, 0)
    machine.handle_end(End.closed(4001, "unauthorized"), 1, 0.5)
    machine.handle_wake(2, 0.0)
    machine.handle_time(10_000)
    states = [machine.state]
    machine.handle_retry()
    states.append(machine.state)
    assert states == [State.REFUSED, State.CONNECTING]


def test_closed_is_final() -> None:
    """Nothing leads out of it."""
    machine = Machine(Backoff())
    _live(machine, 0)
    machine.handle_close()
    machine.handle_options(True)
    machine.handle_retry()
    machine.handle_suspend()
    machine.handle_wake(1, 0.0)
    machine.handle_live(1)
    machine.handle_end(End("network"), 1, 0.0)
    assert machine.state is State.CLOSED

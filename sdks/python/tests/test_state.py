"""The state machine, without a client."""

import pytest

from campanile import CLOSE_CODES, Backoff, CloseCode, State
from campanile.state import End, Machine


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


def test_refusals_before_the_socket() -> None:
    """A problem of the server can be final; a proxy's answer never is."""
    assert End.refused(401, "token_invalid", None).come_back == "no"
    assert End.refused(401, "token_expired", None).come_back == "with_new_token"
    assert End.refused(403, "origin_refused", None).come_back == "no"
    assert End.refused(401, None, None).come_back == "yes"
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
        machine.handle_end(End.lost("network"), now + stay, 1.0)
        assert machine.retry_at is not None
        waits.append(machine.retry_at - now - stay)
        now = machine.retry_at
    assert waits == pytest.approx([1.0, 1.5, 2.5, 4.5, 1.0])


def test_offline_until_online() -> None:
    """No network: it comes back within a second of there being one."""
    machine = Machine(Backoff())
    _live(machine, 0)
    machine.handle_offline(0)
    machine.handle_time(299)
    assert (machine.state, machine.retry_at) == (State.SUSPENDED, None)
    assert machine.reason
    assert machine.reason.reason == "offline"
    machine.handle_online(299, 0.25)
    assert (machine.state, machine.retry_at) == (State.WAITING, 299.25)


def test_offline_is_not_believed_for_ever() -> None:
    """Every 5 minutes it looks for itself; being live is the proof that there is a network."""
    machine = Machine(Backoff())
    _live(machine, 0)
    machine.handle_offline(0)
    states = []
    for end in (300, 600):
        machine.handle_time(end)
        states.append(machine.state)
        machine.handle_end(End.lost("network"), end, 0.5)
        states.append(machine.state)
    assert states == [State.CONNECTING, State.SUSPENDED] * 2
    machine.handle_time(900)
    machine.handle_live(900)
    machine.handle_end(End.lost("network"), 901, 0.5)
    assert machine.state is State.WAITING


@pytest.mark.parametrize("goes_offline", [False, True])
def test_what_the_server_said_outlives_signs_of_life(goes_offline: bool) -> None:
    """Only `retry` makes it earlier, and it counts once."""
    machine = Machine(Backoff())
    _live(machine, 0)
    machine.handle_end(End.closed(1001, "server shutting down", retry_after=60.0), 0, 0.5)
    if goes_offline:
        machine.handle_offline(1)
    machine.handle_online(2, 0.5)
    machine.handle_online(3, 0.5)
    assert (machine.state, machine.retry_at) == (State.WAITING, 60.0)
    machine.handle_retry()
    assert machine.state is State.CONNECTING
    machine.handle_end(End.lost("network"), 4, 0.9)
    machine.handle_online(4, 0.0)
    assert machine.retry_at == 4.0


def test_online_makes_nothing_later() -> None:
    """What was planned sooner stays."""
    machine = Machine(Backoff())
    _live(machine, 0)
    machine.handle_end(End.lost("network"), 0, 0.0)
    machine.handle_online(0, 0.9)
    assert machine.retry_at == 0.5


def test_stopped_while_offline_is_idle() -> None:
    """And no longer looks."""
    machine = Machine(Backoff())
    _live(machine, 0)
    machine.handle_offline(0)
    machine.handle_options(False)
    machine.handle_online(1, 0.0)
    machine.handle_time(10_000)
    assert machine.state is State.IDLE


def test_refused_is_left_by_retry_or_other_options() -> None:
    """And by nothing else."""
    machine = Machine(Backoff())
    _live(machine, 0)
    machine.handle_end(End.closed(4001, "unauthorized"), 1, 0.5)
    machine.handle_online(2, 0.0)
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
    machine.handle_offline(1)
    machine.handle_online(1, 0.0)
    machine.handle_live(1)
    machine.handle_end(End.lost("network"), 1, 0.0)
    assert machine.state is State.CLOSED

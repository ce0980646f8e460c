"""When a client comes back."""

from campanile import Backoff


def test_first_wait_is_between_base_and_twice_base() -> None:
    """Full jitter on top of the base."""
    assert Backoff().delay(0.0) == 0.5
    assert Backoff().delay(0.999_999) < 1.0


def test_spread_doubles_up_to_the_cap() -> None:
    """Each failure doubles what chance may add; the cap bounds all of it."""
    backoff = Backoff()
    longest = [backoff.delay(1.0) for _ in range(10)]
    assert longest == [1.0, 1.5, 2.5, 4.5, 8.5, 16.5, 20.0, 20.0, 20.0, 20.0]


def test_cap_rises_for_a_server_that_stays_away() -> None:
    """20 s, after 10 failures 5 min, after 20 10 min; and for ever."""
    backoff = Backoff()
    waits = [backoff.delay(1.0) for _ in range(2000)]
    assert max(waits[:10]) == 20
    assert max(waits[10:20]) == 300
    assert waits[20] == waits[-1] == 600


def test_forgets() -> None:
    """As after a stable connection."""
    backoff = Backoff()
    for _ in range(30):
        backoff.delay(0.5)
    backoff.forget()
    assert backoff.delay(0.0) == 0.5

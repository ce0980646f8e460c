"""What a token says of itself, and when it is exchanged."""

import pytest
from tokens import token

from campanile.token import Claims, refresh_at


def test_claims_are_read_where_there_are_any() -> None:
    """Of a JWT; of anything else nothing, and nothing is raised."""
    assert Claims.of(token("alice", 100, iat=40)) == Claims("alice", 100, 40)
    assert Claims.of(token("", 100, userId=None, sub="bob")).user is None, "sub counts only where userId is absent"
    for opaque in ("", "opaque", "a.b.c", "a.W10.c", "a.é.c", "..", "a.eyJleHAiOiJzb29uIn0.c"):
        assert Claims.of(opaque) == Claims()


@pytest.mark.parametrize(
    ("life", "expected"),
    [(3600, 3240), (600, 540), (300, 270), (60, 30), (20, 10), (8, 5), (1, 5)],
)
def test_exchanged_in_time(life: float, expected: float) -> None:
    """max(30 s, 10 %) before its end, at most half of its life, and not within 5 s."""
    assert refresh_at(1000, 1000, 1000 + life, 0.5) == pytest.approx(1000 + expected)


def test_not_all_at_once() -> None:
    """±10 %."""
    early, late = refresh_at(0, 0, 3600, 1.0), refresh_at(0, 0, 3600, 0.0)
    assert (early, late) == pytest.approx((3600 - 396, 3600 - 324))


@pytest.mark.parametrize("life", [0, -1, -1e6])
def test_one_that_seems_to_be_over_is_not_exchanged(life: float) -> None:
    """It is the clock that is wrong."""
    assert refresh_at(1000, 0, 1000 + life, 0.5) is None

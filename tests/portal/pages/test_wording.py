"""Times, limits and choices are said as people say them."""

import pytest

from gateway.clients.catalogue import Limit
from gateway.clients.client import ClientState
from gateway.clients.life import State
from gateway.portal.pages import wording
from tests.fakes import NOON


@pytest.mark.parametrize(
    ("requests", "seconds", "words"),
    [
        (1, 1, "1 request per second"),
        (100, 60, "100 requests per minute"),
        (1_000, 3_600, "1,000 requests per hour"),
        (50_000, 86_400, "50,000 requests per day"),
        (10, 30, "10 requests in 30 seconds"),
        (10, 90, "10 requests in 90 seconds"),
        (10, 120, "10 requests in 2 minutes"),
        (7, 604_800, "7 requests in 7 days"),
    ],
)
def test_a_limit_is_said_in_its_largest_whole_unit(requests: int, seconds: int, words: str) -> None:
    assert wording.limit(Limit(requests=requests, seconds=seconds)) == words


def test_a_time_is_told_to_machines_and_to_people() -> None:
    assert wording.moment(NOON) == wording.Moment("2026-11-23T12:00:00Z", "23 November 2026, 12:00 UTC")


def test_a_day_below_ten_has_no_leading_zero() -> None:
    assert wording.moment(0).people == "1 January 1970, 00:00 UTC"


def test_every_state_has_a_badge_in_words() -> None:
    assert set(wording.AGREEMENT_BADGES) == set(State)
    assert set(wording.CLIENT_BADGES) == set(ClientState)


def test_a_grant_type_that_nobody_described_is_offered_by_its_name() -> None:
    assert wording.grants(("urn:example:own",)) == (wording.Choice("urn:example:own", "urn:example:own"),)

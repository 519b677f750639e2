"""The id of a request and its place in a trace."""

import re
import uuid

import pytest

from gateway.correlation import follow, is_request_id, new_request_id

NOON = 1_795_435_200.0
RANDOM = bytes(range(1, 25)).hex()


def test_a_request_id_is_a_uuid_that_sorts_by_time() -> None:
    for digit in "0123456789abcdef":
        made = uuid.UUID(new_request_id(NOON, digit * 19))
        assert (made.version, made.variant) == (7, uuid.RFC_4122)
        assert made.int >> 80 == NOON * 1000
    assert new_request_id(NOON, "f" * 19) < new_request_id(NOON + 0.001, "0" * 19)


@pytest.mark.parametrize(
    ("value", "taken"), [("a", True), ("A-z_0.9" * 10, True), ("a" * 128, True), ("a" * 129, False)]
)
def test_an_id_of_a_proxy_is_taken_over_when_it_is_harmless(value: str, taken: bool) -> None:
    assert is_request_id(value) is taken


@pytest.mark.parametrize("value", ["", "a b", "a\n", "é", "a\r\nX: y", '"'])
def test_an_id_that_could_be_more_than_an_id_is_not_taken_over(value: str) -> None:
    assert not is_request_id(value)


def test_a_callers_trace_goes_on_with_us_as_the_parent() -> None:
    trace = follow(f"00-{'a' * 32}-{'b' * 16}-01", RANDOM)
    assert trace.continued
    assert trace.traceparent == f"00-{'a' * 32}-{RANDOM[:16]}-01"


@pytest.mark.parametrize(
    "header",
    [
        "",
        "junk",
        f"00-{'0' * 32}-{'b' * 16}-01",
        f"00-{'a' * 32}-{'0' * 16}-01",
        f"00-{'A' * 32}-{'b' * 16}-01",
        f"ff-{'a' * 32}-{'b' * 16}-01",
    ],
)
def test_without_a_valid_one_a_trace_begins_here(header: str) -> None:
    trace = follow(header, RANDOM)
    assert not trace.continued
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-00", trace.traceparent)

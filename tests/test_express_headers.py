"""What the express lane remembers of decisions."""

from gateway.express_headers import MOST_ALLOWS, Decisions
from gateway.policy import Allow

SETS = (("X-A", "1"),)


def test_a_decision_that_is_given_again_is_remembered_once() -> None:
    decisions, allow = Decisions(), Allow(set_headers=SETS)
    first = decisions.changes(allow)
    assert first.lines == b"X-A: 1\r\n"
    assert decisions.changes(allow) is first
    assert len(decisions) == 1


def test_one_that_changes_nothing_needs_no_memory() -> None:
    decisions = Decisions()
    assert decisions.changes(Allow()) is decisions.changes(Allow(valid_until=5.0))
    assert len(decisions) == 0


def test_one_that_tells_the_caller_something_is_made_for_one_request_and_not_remembered() -> None:
    decisions = Decisions()
    for left in range(9):
        allow = Allow(set_headers=SETS, answer_headers=(("RateLimit-Remaining", str(left)),))
        assert decisions.changes(allow).lines == b"X-A: 1\r\n"
    assert len(decisions) == 0


def test_no_more_are_remembered_than_there_is_room_for_and_those_in_use_stay() -> None:
    decisions, used = Decisions(), Allow(set_headers=SETS)
    first = decisions.changes(used)
    for number in range(3 * MOST_ALLOWS):
        decisions.changes(Allow(set_headers=(("X-A", str(number)),)))
        if number % 1000 == 0:
            assert decisions.changes(used) is first
    assert len(decisions) <= MOST_ALLOWS

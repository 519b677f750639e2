"""What is wrong of a gateway while its identity provider is down."""

from benchmarks.callers import NO_ANSWER, Outcome, count_of, quantile
from benchmarks.trials.outage import judge

WENT, CAME = 10.0, 20.0


def outcome(began: float, status: int, took: float = 0.01) -> Outcome:
    return Outcome(began, began + took, status)


def test_a_new_token_that_is_let_in_while_nobody_vouches_for_it_is_counted() -> None:
    assert judge([], [outcome(15, 200), outcome(9, 200), outcome(21, 200)], WENT, CAME)["let_in"] == 1


def test_an_answer_that_came_with_the_provider_is_not_wrong() -> None:
    waited = outcome(15, 200, took=6)
    assert judge([], [waited], WENT, CAME)["let_in"] == 0


def test_a_caller_who_is_blamed_for_the_outage_is_counted() -> None:
    figures = judge([], [outcome(15, status) for status in (401, 403, 503, 502)], WENT, CAME)
    assert figures["blamed"] == 2


def test_a_known_token_must_be_let_in_all_the_time() -> None:
    known = [outcome(5, 200), outcome(15, 200), outcome(16, 503), outcome(25, 503)]
    assert judge(known, [], WENT, CAME)["known_wrong"] == 1


def test_a_request_without_an_answer_is_counted() -> None:
    assert judge([], [outcome(12, NO_ANSWER, took=10)], WENT, CAME)["no_answer"] == 1


def test_recovery_is_from_the_providers_return_to_the_first_new_token() -> None:
    figures = judge([], [outcome(20.1, 503), outcome(20.5, 200, took=0.25), outcome(22, 200)], WENT, CAME)
    assert figures["recovery"] == 750.0


def test_who_never_recovers_has_no_time_for_it() -> None:
    assert "recovery" not in judge([], [outcome(21, 503)], WENT, CAME)


def test_a_quantile_is_one_of_the_times_and_nothing_has_none() -> None:
    outcomes = [outcome(0, 200, took=number / 1000) for number in range(1, 101)]
    assert round(quantile(outcomes, 0.99)) == 100
    assert round(quantile(outcomes, 1.0)) == 100
    assert round(quantile(outcomes, 0.5)) == 51
    assert quantile([], 0.99) == 0.0


def test_statuses_are_counted() -> None:
    assert count_of([outcome(0, 401), outcome(0, 403), outcome(0, 200)], 401, 403) == 2

"""When a policy applies to a request."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.conditions import Condition, condition

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


@given(method=st.sampled_from(METHODS), path=st.text())
def test_a_condition_that_asks_for_nothing_always_applies(method: str, path: str) -> None:
    assert condition().applies(method, f"/{path}")


def test_only_the_methods_that_are_named_are_meant() -> None:
    only_writing = condition(methods=["POST", "DELETE"])
    assert only_writing.applies("DELETE", "/orders")
    assert not only_writing.applies("PUT", "/orders")


@pytest.mark.case("C025")
def test_what_is_asked_of_get_is_asked_of_head() -> None:
    assert condition(methods=["GET"]).applies("HEAD", "/orders")
    assert not condition(methods=["POST"]).applies("HEAD", "/orders")


@pytest.mark.parametrize(
    ("template", "path", "applies"),
    [
        ("/orders", "/orders", True),
        ("/orders", "/orders/", False),
        ("/orders", "/orders/7", False),
        ("/orders", "/ordersx", False),
        ("/orders/{id}", "/orders/7", True),
        ("/orders/{id}", "/orders/", False),
        ("/orders/{id}", "/orders", False),
        ("/orders/{id}", "/orders/7/lines", False),
        ("/orders/{id}/lines", "/orders/7/lines", True),
        ("/orders/**", "/orders", True),
        ("/orders/**", "/orders/7", True),
        ("/orders/**", "/orders/7/lines", True),
        ("/orders/**", "/ordersx", False),
        ("/**", "/", True),
        ("/**", "/anything/at/all", True),
    ],
)
def test_a_template_fits_by_whole_segments(template: str, path: str, applies: bool) -> None:
    assert condition(paths=[template]).applies("GET", path) is applies


@pytest.mark.case("C185")
def test_what_is_special_to_a_regex_is_literal_in_a_template() -> None:
    assert not condition(paths=["/v1.0/a+"]).applies("GET", "/v1x0/aa")
    assert condition(paths=["/v1.0/a+"]).applies("GET", "/v1.0/a+")


def test_one_template_that_fits_is_enough() -> None:
    either = condition(paths=["/orders", "/invoices"])
    assert either.applies("GET", "/invoices")
    assert not either.applies("GET", "/customers")


@pytest.mark.case("C185")
@pytest.mark.parametrize("path", ["/x/orders/7", "/orders/7/x", "/orders/7\n", "/orders/"])
def test_a_regex_must_match_the_whole_path(path: str) -> None:
    assert condition(regex="/orders/[0-9]+").applies("GET", "/orders/7")
    assert not condition(regex="/orders/[0-9]+").applies("GET", path)


def test_a_template_and_a_regex_are_alternatives() -> None:
    either = condition(paths=["/orders"], regex="/v[0-9]/orders")
    assert either.applies("GET", "/orders")
    assert either.applies("GET", "/v2/orders")
    assert not either.applies("GET", "/v2/invoices")


def test_a_method_and_a_path_must_both_be_meant() -> None:
    both = condition(methods=["GET"], paths=["/orders"])
    assert both.applies("GET", "/orders")
    assert not both.applies("POST", "/orders")
    assert not both.applies("GET", "/invoices")


@pytest.mark.parametrize("regex", ["(", "[a", "(?<=x)y", r"(a)\1"])
def test_what_is_no_re2_expression_is_refused(regex: str) -> None:
    with pytest.raises(ValueError, match="RE2"):
        condition(regex=regex)


@pytest.mark.case("C188")
def test_an_expression_that_would_backtrack_answers_for_a_long_path() -> None:
    # With a backtracking engine this test would not end.
    assert not condition(regex="/(a+)+b").applies("GET", "/" + "a" * 30_000)


def test_conditions_are_values() -> None:
    assert condition(methods=["POST"], paths=["/a"]) == Condition(frozenset({"POST"}), (("", "a"),))

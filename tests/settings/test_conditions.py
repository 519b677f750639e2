"""`when`: conditions that can come true, and routes of which some requests are never judged."""

import pytest

from gateway.settings import Settings, parse
from tests.settings import OKTA, ROUTE, lines, policies

BELOW = "matches nothing under the route's path /orders; write whole paths, as the caller sends them"


def when(condition: str) -> list[str]:
    return [
        each.removeprefix("tokenward.yaml:") for each in lines(policies(f"{{opening-hours: {{}}, when: {condition}}}"))
    ]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("{paths: [/order]}", f"7:44: routes.orders.policies.0.when.paths.0: {BELOW}"),
        ("{paths: [/orders, '/{id}/x', /]}", f"7:64: routes.orders.policies.0.when.paths.2: {BELOW}"),
        ("{paths: [/other/**]}", f"7:44: routes.orders.policies.0.when.paths.0: {BELOW}"),
        ("{regex: /order}", f"7:36: routes.orders.policies.0.when.regex: {BELOW}"),
        ("{regex: /order/.*}", f"7:36: routes.orders.policies.0.when.regex: {BELOW}"),
        ("{regex: /orders2/.*}", f"7:36: routes.orders.policies.0.when.regex: {BELOW}"),
        ("{regex: 'orders/.*'}", f"7:36: routes.orders.policies.0.when.regex: {BELOW}"),
        (
            "{regex: '(?=a)'}",
            "7:36: routes.orders.policies.0.when.regex: is no RE2 expression (invalid perl operator: (?=); "
            "look-around and back-references do not exist there",
        ),
        (
            "{regex: '('}",
            "7:36: routes.orders.policies.0.when.regex: is no RE2 expression (missing ): (); look-around "
            "and back-references do not exist there",
        ),
        ("{methods: [get]}", "7:46: routes.orders.policies.0.when.methods.0: must be in upper case; write GET"),
        (
            "{methods: [PUT]}",
            "7:46: routes.orders.policies.0.when.methods.0: the route does not have PUT; write one of GET, POST",
        ),
        ("{method: [GET]}", "7:36: routes.orders.policies.0.when.method: is not known here; did you mean methods?"),
        ("[GET]", "7:29: routes.orders.policies.0.when: must be a mapping; write name: value"),
    ],
)
def test_a_condition_that_cannot_come_true_is_told(condition: str, expected: str) -> None:
    assert when(condition) == [expected]


@pytest.mark.parametrize(
    "condition",
    [
        "null",
        "{}",
        "{paths: [/orders]}",
        "{paths: ['/orders/{id}', '/{any}/x', /orders/**, /**]}",
        "{methods: [GET]}",
        "{regex: '/orders/[0-9]+'}",
        "{regex: '.*'}",
        "{regex: '/orders'}",
        "{regex: '.*/archive'}",
        "{regex: '(?i)/ORDERS/x'}",
        "{regex: '(/orders|/other)/x'}",
        "{regex: '/o.*'}",
        "{regex: '/orders(/.*)?'}",
    ],
)
def test_a_condition_that_can_come_true_is_no_mistake(condition: str) -> None:
    assert when(condition) == []


@pytest.mark.parametrize(
    ("path", "exact", "condition", "reachable"),
    [
        ("/orders", True, "{regex: '/orders'}", True),
        ("/orders", True, "{regex: '/orders/x'}", False),
        ("/orders", True, "{paths: [/orders/x]}", False),
        ("/orders", True, "{paths: [/orders/**]}", True),
        ("/t/{id}", False, "{regex: '/t/[0-9]+/x'}", True),
        ("/t/{id}", False, "{regex: '/u/[0-9]+/x'}", False),
        ("/t/{id}", False, "{paths: [/t/7]}", True),
        ("/t/{id}", False, "{paths: [/t]}", False),
        ("/", False, "{regex: '/anything'}", True),
        ("/", False, "{paths: [/anything]}", True),
    ],
)
def test_a_condition_is_measured_by_the_path_of_its_route(
    path: str, exact: bool, condition: str, reachable: bool
) -> None:
    text = f"""\
routes:
  orders:
    path: "{path}"
    exact: {str(exact).lower()}
    upstream: http://a
    policies:
      - opening-hours: {{}}
        when: {condition}
"""
    assert (lines(text) == []) is reachable


def enforced(*conditions: str) -> Settings:
    entries = [f"{{token-enforcement: {{provider: okta}}{condition}}}" for condition in conditions]
    return parse(OKTA + policies("opening-hours:", *entries), environment={})


@pytest.mark.parametrize(
    "conditions", [[", when: {methods: [GET]}"], [", when: {paths: ['/orders/{id}']}", ", when: {regex: '.*'}"]]
)
def test_a_route_that_asks_some_requests_only_for_a_token_is_warned_of(conditions: list[str]) -> None:
    (warning,) = enforced(*conditions).warnings
    assert str(warning) == (
        "tokenward.yaml:11:5: routes.orders.policies: every token-enforcement has a `when`: other "
        "methods and paths reach "
        "the upstream without a token; add one without `when`, or narrow methods and path"
    )


def test_a_route_that_only_reports_is_warned_of() -> None:
    (warning,) = enforced(", report_only: true").warnings
    assert warning.text.startswith(
        "every token-enforcement is report_only: requests reach the upstream without a token"
    )


@pytest.mark.parametrize(
    "conditions",
    [[""], [", when: {methods: [GET]}", ""], [", when: {methods: [GET]}", ", when: {methods: [POST]}"], [", when: {}"]],
)
def test_a_route_that_asks_every_request_for_a_token_is_not_warned_of(conditions: list[str]) -> None:
    assert enforced(*conditions).warnings == ()


@pytest.mark.parametrize("conditions", [[", when: {methods: [GET]}", ", report_only: true"]])
def test_a_policy_that_only_reports_does_not_cover_the_rest(conditions: list[str]) -> None:
    assert len(enforced(*conditions).warnings) == 1


def test_a_public_route_is_not_warned_of() -> None:
    assert parse(ROUTE, environment={}).warnings == ()

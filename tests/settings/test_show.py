"""What `tokenward config show` prints: everything, and no secret."""

import yaml

from gateway.settings import parse
from gateway.settings.show import show
from tests.settings import OKTA, ROUTE, SECRET, policies
from tests.settings.keys import pem
from tests.settings.test_example import ENVIRONMENT, EXAMPLE


def shown(text: str, **environment: str) -> str:
    return show(parse(text, environment=environment))


def test_defaults_are_shown() -> None:
    found = yaml.safe_load(shown(ROUTE))
    assert found["listen"] == ["127.0.0.1:8080"]
    assert found["admin"] == {"listen": "127.0.0.1:9090", "token": None}
    assert found["routes"]["orders"]["api"] == "orders"
    assert found["routes"]["orders"]["upstream"]["connect_timeout"] == 2.0


def test_a_policy_is_shown_by_its_name_with_its_options() -> None:
    (entry,) = yaml.safe_load(shown(policies("{opening-hours: {opens: 9}, when: {regex: '.*'}}")))["routes"]["orders"][
        "policies"
    ]
    assert entry == {
        "opening-hours": {"opens": 9, "closes": 18},
        "when": {"methods": [], "paths": [], "regex": ".*"},
        "report_only": False,
    }


def test_no_secret_is_shown() -> None:
    text = shown(OKTA + ROUTE)
    assert SECRET not in text
    assert "client_secret: '**********'" in text
    key = shown(
        OKTA.replace("client_secret: n0body-knows-this", "authentication: private_key_jwt, private_key: '${KEY}'")
        + ROUTE,
        KEY=pem("rsa"),
    )
    assert "PRIVATE KEY" not in key


def test_what_is_shown_is_a_configuration_that_says_the_same() -> None:
    for text in (EXAMPLE, ROUTE, policies("{opening-hours: , when: {regex: '/orders/[0-9]+$$'}}")):
        once = shown(text, **ENVIRONMENT)
        assert shown(once) == once


def test_a_text_that_looks_like_something_else_is_quoted() -> None:
    for base in ("off", "no", "0o17", "12:30", "1e3", "2026-11-23", "null", "", "a: b", "${NAME}", "a$$b", "<<"):
        written = base.replace("$", "$$")
        once = shown(f"problems: {{base: '{written}'}}\n{ROUTE}")
        assert parse(once, environment={}).problems.base == base

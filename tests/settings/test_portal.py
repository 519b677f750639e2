"""The developer portal: what it needs beside it, who may sign in and decide, and the line about what is wrong."""

import pytest

from gateway.clients.store.sealing import new_key
from gateway.settings import parse
from gateway.settings.show import show
from tests.settings import OKTA, ROUTE, SECRET, lines

STORE = f"store: {{encryption_keys: [{new_key()}]}}\n"
REGISTERING = OKTA + "    registration: {}\n"
CREDENTIALS = f"{{client_id: portal, client_secret: {SECRET}}}"
SIGN_IN = f"provider: okta, credentials: {CREDENTIALS}"
SOUND = {"url": "https://developers.example.com", "sign_in": f"{{{SIGN_IN}}}"}


def portal(**options: str) -> str:
    """A whole configuration whose portal has these options, each on a line of its own from line 2 on."""
    written = "".join(f"  {name}: {value}\n" for name, value in {**SOUND, **options}.items())
    return f"portal:\n{written}{STORE}{REGISTERING}{ROUTE}"


def told(**options: str) -> str:
    """The one line about it, from the name of the option on."""
    (only,) = lines(portal(**options))
    return only.partition(": portal.")[2]


def test_a_portal_needs_an_address_people_who_sign_in_and_a_store() -> None:
    assert lines(portal()) == []


def test_a_portal_without_a_store_is_told() -> None:
    assert lines(portal().replace(STORE, "")) == [
        "tokenward.yaml:1:1: portal: needs a store; write one, `store: {encryption_keys: [...]}` is enough"
    ]


def test_a_portal_with_nothing_to_ask_for_is_told() -> None:
    assert lines(portal().replace(REGISTERING, OKTA)) == [
        "tokenward.yaml:1:1: portal: has nothing to offer: no provider registers clients; write "
        "providers.NAME.registration"
    ]


def test_everything_that_an_empty_portal_lacks_is_told_at_once() -> None:
    found = lines(f"portal: {{}}\n{STORE}{REGISTERING}{ROUTE}")
    assert [each.partition(";")[0] for each in found] == [
        "tokenward.yaml:1:1: portal.sign_in: is missing",
        "tokenward.yaml:1:1: portal.url: is missing",
    ]


@pytest.mark.parametrize(
    "url",
    [
        "https://developers.example.com/portal",
        "https://developers.example.com?here",
        "https://Developers.example.com",
    ],
)
def test_the_portal_has_a_whole_host(url: str) -> None:
    assert told(url=url) == "url: must be a scheme and a host in lower case, without a path; write https://host"


def test_the_portal_is_reached_over_tls_from_other_machines() -> None:
    assert told(url="http://developers.example.com").startswith("url: is plain http to another machine")
    assert lines(portal(url="http://127.0.0.1:8081")) == []


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"owners": "{claim: groups}"}, "owners: needs claim and any_of; write both or neither"),
        ({"owners": "{any_of: [owners]}"}, "owners: needs claim and any_of; write both or neither"),
        (
            {"owners": "{claim: groups, any_of: ['']}"},
            "owners: names something blank; write a claim and its values, or scopes",
        ),
        ({"owners": "{scopes: [' ']}"}, "owners: names something blank; write a claim and its values, or scopes"),
        ({"title": "' '"}, "title: is blank; write what the portal is called, or leave it out"),
        ({"gateway_url": "api.example.com"}, "gateway_url: must be an http or https URL; write https://…"),
        ({"visits": "{idle: 0}"}, "visits.idle: must be greater than 0"),
        ({"rates": "{changes: 0}"}, "rates.changes: must be at least 1"),
        ({"timeout": "0"}, "timeout: must be greater than 0"),
        ({"trusted_proxies": "[10.0.0.1/8]"}, "trusted_proxies.0: has bits set after its prefix; write 10.0.0.0/8"),
        ({"listen": "127.0.0.1:9090"}, "listen: the port 9090 is already taken by admin; write another one"),
        ({"visitors": "{}"}, "visitors: is not known here; did you mean visits?"),
    ],
)
def test_the_line_about_the_portal(options: dict[str, str], expected: str) -> None:
    assert told(**options) == expected


@pytest.mark.parametrize(
    ("sign_in", "expected"),
    [
        (f"provider: okat, credentials: {CREDENTIALS}", "provider: no provider is called okat; did you mean okta?"),
        (f"{SIGN_IN}, scopes: [email]", "scopes: must hold openid; write it first"),
        (
            f"{SIGN_IN}, algorithms: [HS256]",
            "algorithms: must be some of these; write RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, "
            "EdDSA",
        ),
        (
            "provider: okta, credentials: {client_id: portal}",
            "credentials.client_secret: is missing; client_secret_basic needs it",
        ),
    ],
)
def test_the_line_about_signing_in(sign_in: str, expected: str) -> None:
    assert told(sign_in=f"{{{sign_in}}}") == f"sign_in.{expected}"


@pytest.mark.case("C298")
@pytest.mark.parametrize(
    ("secret", "fault"),
    [
        ("changeme", "is a placeholder that everybody knows; write a secret of your own"),
        ("short", "is easily guessed; write 16 characters of chance or more"),
        ("' '", "is blank; write the secret, best as ${NAME} or ${file:path}"),
    ],
)
def test_a_secret_of_the_portal_that_is_none_is_told_without_it(secret: str, fault: str) -> None:
    sign_in = f"{{provider: okta, credentials: {{client_id: portal, client_secret: {secret}}}}}"
    assert told(sign_in=sign_in) == f"sign_in.credentials.client_secret: {fault}"


def test_people_sign_in_at_a_provider_that_has_an_issuer() -> None:
    keys = "  keys: {issuer: null, jwks_uri: https://keys.example.com}\n"
    found = lines(portal(sign_in=f"{{provider: keys, credentials: {CREDENTIALS}}}").replace(ROUTE, keys + ROUTE))
    assert any(": portal.sign_in.provider: has no issuer" in each for each in found), found


def test_the_secret_of_the_portal_is_shown_nowhere() -> None:
    found = parse(portal(), environment={})
    assert SECRET not in f"{found!r} {show(found)}"

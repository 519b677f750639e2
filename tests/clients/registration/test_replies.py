"""What a provider's reply means."""

import asyncio
import json
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from gateway.clients import mistakes
from gateway.clients.client import Metadata, Registered
from gateway.clients.registration.registrar import Registrar
from gateway.clients.registration.replies import LONGEST_DESCRIPTION, differences, known, refused, registered_by
from gateway.policy import Unavailable
from gateway.ports import Reply
from gateway.providers.registration import Registration
from gateway.tasks import Tasks
from tests.clients.registration.opened import MACHINE, WEBSITE, provider_at
from tests.fakes import FakeClock, FakeFetch, json_reply, reply

ENDPOINT = "https://idp.example.com/register"
WHOLE = {
    "client_id": "shop-7",
    "client_id_issued_at": 1795435200,
    "client_secret": "s3cret",
    "client_secret_expires_at": 0,
    "registration_access_token": "rat-1",
    "registration_client_uri": f"{ENDPOINT}/shop-7",
    "client_name": "Shop",
}


def read(**members: object) -> Registered:
    return registered_by(json_reply({**WHOLE, **members}, 201), ENDPOINT)


def failure(answer: Reply, secrets: tuple[str, ...] = ()) -> mistakes.Invalid | Unavailable:
    with pytest.raises((mistakes.Invalid, Unavailable)) as raised:
        refused(answer, secrets)
    assert isinstance(raised.value, mistakes.Invalid | Unavailable)
    return raised.value


def test_a_whole_reply_is_kept() -> None:
    registered = read(subject_type="public")
    assert registered.reply == {**WHOLE, "subject_type": "public"}
    assert registered.credentials.client_id == "shop-7"
    assert registered.credentials.client_secret is not None
    assert registered.credentials.client_secret.get_secret_value() == "s3cret"
    assert registered.credentials.expires_at is None
    assert registered.registration_client_uri == f"{ENDPOINT}/shop-7"
    assert registered.registration_access_token is not None


def test_what_was_registered_shows_no_secret() -> None:
    shown = repr(read())
    assert "s3cret" not in shown
    assert "rat-1" not in shown


@pytest.mark.parametrize(
    ("said", "expires_at"),
    [
        (0, None),
        ("0", None),
        (1795435260, 1795435260.0),
        ("1795435260", 1795435260.0),
        (1795435260.5, 1795435260.5),
        (None, None),
        (True, None),
        (-1, None),
        ("soon", None),
        ([], None),
        (10**400, None),
        (float("1e308"), None),
        (253402300799, 253402300799.0),
        (253402300800, None),
        (2**63 - 1, None),
        ("NaN", None),
        ("Infinity", None),
    ],
)
def test_when_a_secret_expires(said: object, expires_at: float | None) -> None:
    assert read(client_secret_expires_at=said).credentials.expires_at == expires_at


def test_a_public_client_has_no_secret() -> None:
    registered = read(client_secret=None, registration_access_token=None, registration_client_uri=None)
    assert registered.credentials.client_secret is None
    assert registered.registration_client_uri is None
    assert registered.registration_access_token is None


@pytest.mark.case("C293")
@pytest.mark.parametrize(
    "uri",
    [
        "https://evil.example/register/shop-7",
        "https://idp.example.com.evil.example/register/shop-7",
        "https://idp.example.com:8443/register/shop-7",
        "https://idp.example.com@evil.example/register",
        "http://idp.example.com/register/shop-7",
        "http://127.0.0.1/register/shop-7",
        "http://169.254.169.254/latest/meta-data",
        "http://[::ffff:127.0.0.1]/",
        "http://2130706433/",
        "https://idp.example.com\\@evil.example/",
        "https://idp.example.com/register#x",
        "//idp.example.com/register/shop-7",
        "/register/shop-7",
        "file:///etc/passwd",
        "",
        7,
        ["https://idp.example.com/register/shop-7"],
    ],
    ids=ascii,
)
def test_a_place_elsewhere_is_no_place_to_manage_a_client(uri: object) -> None:
    assert read(registration_client_uri=uri).registration_client_uri is None


@pytest.mark.parametrize(
    "uri", ["https://idp.example.com/register?client_id=shop-7", "https://IDP.example.com:443/clients/shop-7"]
)
def test_a_place_at_the_origin_of_registration_is_one(uri: str) -> None:
    assert read(registration_client_uri=uri).registration_client_uri == uri


@pytest.mark.parametrize("token", ["a b", "a\r\nX: y", "é", "", "x" * 9000, 7, None], ids=ascii)
def test_a_registration_token_that_no_header_can_hold_is_none(token: object) -> None:
    assert read(registration_access_token=token).registration_access_token is None


@pytest.mark.parametrize(
    "members",
    [
        *(
            {"client_id": value}
            for value in list[object]((None, 7, "", "é", "a\r\nb", "..", ".", "x" * 3000, ["shop-7"]))
        ),
        *({"client_secret": value} for value in list[object]((7, "a\nb", {}))),
    ],
    ids=str,
)
def test_a_reply_without_usable_credentials_is_no_registration(members: dict[str, Any]) -> None:
    with pytest.raises(Unavailable) as failed:
        read(**members)
    assert failed.value.code == "registration_failed"


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'"x"', b"7", b"{", b"\xff", b"<html>", b"[" * 100_000, b'{"client_id":NaN}', b'{"a":' * 9999]
)
def test_a_body_that_is_no_json_object_is_no_registration(body: bytes) -> None:
    with pytest.raises(Unavailable) as failed:
        registered_by(reply(body, 201), ENDPOINT)
    assert failed.value.code == "registration_failed"


def test_a_client_id_may_be_a_long_url() -> None:
    client_id = "https://client.example.com/" + "x" * 1000
    assert read(client_id=client_id).credentials.client_id == client_id


def later(before: dict[str, object], now: dict[str, object]) -> Registered:
    return registered_by(json_reply({"client_id": "shop-7", **now}), ENDPOINT, known({**WHOLE, **before}, ENDPOINT))


def test_what_a_later_reply_leaves_out_is_not_taken_back() -> None:
    registered = later({"software_id": "id-7"}, {"client_name": "After"})
    assert registered.reply == {**WHOLE, "software_id": "id-7", "client_name": "After"}


def test_a_null_is_nothing() -> None:
    assert later({}, {"client_secret": None, "registration_access_token": None}).reply == {
        **{name: value for name, value in WHOLE.items() if name != "client_name"}
    }


def test_a_new_secret_does_not_get_the_end_of_the_old_one() -> None:
    registered = later({"client_secret_expires_at": 1795435260}, {"client_secret": "n3w"})
    assert registered.credentials.client_secret is not None
    assert registered.credentials.client_secret.get_secret_value() == "n3w"
    assert registered.credentials.expires_at is None


@pytest.mark.parametrize("method", ["none", ["none"]])
def test_a_client_that_became_public_has_lost_its_secret(method: object) -> None:
    registered = later({}, {"token_endpoint_auth_method": method})
    assert registered.credentials.client_secret is None
    assert "client_secret_expires_at" not in registered.reply


def test_a_new_registration_token_replaces_the_old_one() -> None:
    registered = later({}, {"registration_access_token": "rat-2"})
    assert registered.registration_access_token is not None
    assert registered.registration_access_token.get_secret_value() == "rat-2"


def test_a_reply_about_another_client_does_not_count() -> None:
    with pytest.raises(Unavailable):
        registered_by(json_reply({"client_id": "other"}), ENDPOINT, known(dict(WHOLE), ENDPOINT))


@pytest.mark.parametrize(
    ("members", "names"),
    [
        ({}, ()),
        ({"redirect_uris": ["https://site.example.com/callback"]}, ()),
        ({"redirect_uris": ["https://evil.example/callback"]}, ("redirect_uris",)),
        ({"redirect_uris": ["https://site.example.com/callback", "https://evil.example/"]}, ("redirect_uris",)),
        ({"redirect_uris": []}, ("redirect_uris",)),
        ({"redirect_uris": 7}, ("redirect_uris",)),
        ({"grant_types": ["refresh_token", "authorization_code"]}, ()),
        ({"grant_types": ["authorization_code", "refresh_token", "password"]}, ("grant_types",)),
        ({"token_endpoint_auth_method": ["client_secret_basic"]}, ()),
        ({"token_endpoint_auth_method": "none"}, ("token_endpoint_auth_method",)),
        ({"scope": "write read"}, ()),
        ({"scope": "read"}, ("scope",)),
        ({"client_name": "Another", "scope": "admin"}, ("client_name", "scope")),
    ],
)
def test_what_was_registered_otherwise_than_asked_for_is_named(
    members: dict[str, object], names: tuple[str, ...]
) -> None:
    asked = replace(WEBSITE, scopes=("read", "write"))
    assert differences(asked, known({"client_id": "site", **members}, ENDPOINT)) == names


def test_a_provider_that_was_asked_for_no_scope_may_give_its_own() -> None:
    assert differences(WEBSITE, known({"client_id": "site", "scope": "openid"}, ENDPOINT)) == ()


@pytest.mark.parametrize(
    ("status", "document"),
    [
        (401, {"error": "invalid_token"}),
        (401, {"errorCode": "E0000011", "errorSummary": "Invalid token provided"}),
        (401, None),
        (403, {"error": "insufficient_scope"}),
        (400, {"error": "invalid_token"}),
        (400, {"error": "access_denied"}),
        (400, {"error": "invalid_request", "error_description": "authorization header scheme must be `Bearer`"}),
    ],
)
def test_a_provider_that_does_not_take_us_is_a_matter_for_the_operator(status: int, document: object) -> None:
    failed = failure(json_reply(document, status))
    assert isinstance(failed, Unavailable)
    assert failed.code == "registration_refused"
    assert "authorization for registration" in failed.detail


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ({"error": "invalid_redirect_uri"}, "invalid_redirect_uri"),
        ({"error": "invalid_client_metadata", "error_description": "No."}, "invalid_client_metadata"),
        ({"error": "unapproved_software_statement"}, "unapproved_software_statement"),
        ({"errorCode": "E0000001", "errorSummary": "Api validation failed"}, "invalid_client_metadata"),
        ({"error": "<b>"}, "invalid_client_metadata"),
        ({"error": 7}, "invalid_client_metadata"),
        ([], "invalid_client_metadata"),
    ],
)
def test_a_provider_that_does_not_take_the_metadata_says_which_way(document: object, code: str) -> None:
    failed = failure(json_reply(document, 400))
    assert isinstance(failed, mistakes.Invalid)
    assert failed.code == code


@pytest.mark.case("C301")
def test_what_a_provider_says_is_shown_as_plain_short_text() -> None:
    said = "Bad \x1b[31m<script>\u202e\r\nname; the secret s3cret " + "x" * 500
    answer = json_reply({"error": "invalid_client_metadata", "error_description": said}, 400)
    failed = failure(answer, ("s3cret",))
    assert failed.detail.isascii()
    assert failed.detail.isprintable()
    assert "s3cret" not in failed.detail
    assert "<" not in failed.detail
    assert "Bad [31m script name; the secret" in failed.detail
    assert len(failed.detail) < LONGEST_DESCRIPTION + 50


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7),
        ("0", 1),
        ("99999", 3600),
        ("Wed, 21 Oct 2026 07:28:00 GMT", 1),
        ("-1", 1),
        ("\u0667", 1),
        ("9" * 5000, 1),
    ],
)
def test_a_provider_may_ask_us_to_wait(header: str, seconds: int) -> None:
    failed = failure(Reply(429, CIMultiDict({"Retry-After": header}), b""))
    assert isinstance(failed, Unavailable)
    assert (failed.code, failed.retry_after) == ("registration_failed", seconds)


@pytest.mark.parametrize("status", [302, 404, 405, 410, 415, 500, 502, 503])
def test_any_other_answer_is_a_failure(status: int) -> None:
    failed = failure(reply(b"<html>", status, "text/html"))
    assert isinstance(failed, Unavailable)
    assert failed.code == "registration_failed"


members = st.sampled_from(
    [*WHOLE, "error", "error_description", "token_endpoint_auth_method", "redirect_uris", "scope"]
)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(list(WHOLE.values())),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
bodies = st.binary(max_size=200) | st.dictionaries(members, values).map(lambda document: json.dumps(document).encode())
statuses = st.sampled_from([200, 201, 204, 302, 400, 401, 403, 404, 405, 409, 422, 429, 500])


async def outcomes(body: bytes, status: int, metadata: Metadata) -> list[object]:
    fetch = FakeFetch()
    answer = reply(body, status)
    for url in (ENDPOINT, f"{ENDPOINT}/shop-7"):
        fetch.answers[url] = answer
    registrar = Registrar(provider_at(ENDPOINT), Registration(), fetch, FakeClock(), Tasks())
    before = known(dict(WHOLE), ENDPOINT)
    asking: list[Coroutine[Any, Any, object]] = [
        registrar.register(metadata, "id-7"),
        registrar.read(before),
        registrar.update(before, metadata),
        registrar.delete(before),
        registrar.rotate(before, metadata),
    ]
    return [await _outcome(each) for each in asking]


async def _outcome(asking: Coroutine[Any, Any, object]) -> object:
    try:
        return await asking
    except (Unavailable, mistakes.Refusal) as failed:
        return failed


@given(bodies, statuses)
def test_whatever_a_provider_answers_is_a_client_or_a_failure_with_a_name(body: bytes, status: int) -> None:
    for found in asyncio.run(outcomes(body, status, MACHINE)):
        assert found is None or isinstance(found, Registered | Unavailable | mistakes.Refusal)

"""What people may ask for an application."""

from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.clients import mistakes
from gateway.clients.client import Metadata
from gateway.clients.registration.wishes import (
    LONGEST_DESCRIPTION,
    LONGEST_NAME,
    MOST_CONTACTS,
    MOST_REDIRECT_URIS,
    MOST_SCOPES,
    check,
    metadata_of,
)
from gateway.providers.registration import Registration
from tests.clients.registration.opened import MACHINE, WEBSITE

OPEN = Registration()
BIDI = "\u202egnp.exe"


def refusal(metadata: Metadata, registration: Registration = OPEN, scopes: tuple[str, ...] = ()) -> mistakes.Invalid:
    with pytest.raises(mistakes.Invalid) as refused:
        check(metadata, registration, scopes)
    return refused.value


@pytest.mark.parametrize("metadata", [MACHINE, WEBSITE])
def test_a_plain_wish_is_granted_as_it_is(metadata: Metadata) -> None:
    assert check(metadata, OPEN, ()) == metadata


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("  My   shop ", "My shop"),
        ("e\u0301te\u0301", "\u00e9t\u00e9"),
        ('Rock & Roll\'s "Shop"', 'Rock & Roll\'s "Shop"'),
        ("商店", "商店"),
        ("x" * LONGEST_NAME, "x" * LONGEST_NAME),
    ],
)
def test_a_name_is_brought_to_one_form(name: str, kept: str) -> None:
    assert check(replace(MACHINE, client_name=name), OPEN, ()).client_name == kept


@pytest.mark.case("C301")
@pytest.mark.parametrize(
    "name",
    [
        "",
        "   ",
        "x" * (LONGEST_NAME + 1),
        "<script>alert(1)</script>",
        "a > b",
        "Shop\x1b[31m",
        "Shop\x9b31m",
        BIDI,
        "Shop\u2066",
        "Shop\u200b",
        "Shop\x00",
        "Shop\nlevel=error",
        "Shop\r\nX: y",
        "Shop\u2028x",
        "Shop\ud800",
        "Shop\ufeff",
        "Shop\U000e0041",
    ],
    ids=ascii,
)
def test_a_name_that_could_act_where_it_is_shown_is_refused(name: str) -> None:
    refused = refusal(replace(MACHINE, client_name=name))
    assert refused.code == "invalid_client_metadata"
    assert refused.detail.isascii()


@pytest.mark.case("C301")
@pytest.mark.parametrize(
    "text", ["a\x1b[2Jb", BIDI, "a\rb", "a\x08b", "a\u2029b", "x" * (LONGEST_DESCRIPTION + 1)], ids=ascii
)
def test_a_description_that_could_act_where_it_is_shown_is_refused(text: str) -> None:
    refusal(replace(MACHINE, description=text))


def test_a_description_may_have_lines() -> None:
    assert check(replace(MACHINE, description="One.\r\nTwo.\n"), OPEN, ()).description == "One.\nTwo."


@pytest.mark.parametrize(
    "uri",
    [
        "javascript:alert(1)",
        "http://site.example.com",
        "https://user@site.example.com",
        "https://site.example.com/#x",
        "https://site.example.com/<b>",
        "https://site.example.com/\u202e",
        "https://site.example.com/".ljust(2001, "x"),
    ],
    ids=ascii,
)
def test_a_home_page_that_is_none_is_refused(uri: str) -> None:
    assert refusal(replace(MACHINE, client_uri=uri)).code == "invalid_client_metadata"


@pytest.mark.parametrize(
    "contact",
    [
        "nobody",
        "a b@example.com",
        "<a@example.com>",
        "a@example.com\r\nBcc: b@c",
        "é@example.com",
        f"{'a' * 250}@b.de",
        "mailto:a@example.com",
    ],
    ids=ascii,
)
def test_a_contact_is_a_plain_address(contact: str) -> None:
    assert refusal(replace(MACHINE, contacts=(contact,))).code == "invalid_client_metadata"


def test_lists_are_bounded() -> None:
    uris = tuple(f"https://site.example.com/{number}" for number in range(MOST_REDIRECT_URIS + 1))
    check(replace(WEBSITE, redirect_uris=uris[1:]), OPEN, ())
    assert refusal(replace(WEBSITE, redirect_uris=uris)).code == "invalid_redirect_uri"
    contacts = tuple(f"{number}@example.com" for number in range(MOST_CONTACTS + 1))
    check(replace(MACHINE, contacts=contacts[1:]), OPEN, ())
    refusal(replace(MACHINE, contacts=contacts))
    scopes = tuple(f"s{number}" for number in range(MOST_SCOPES + 1))
    check(replace(MACHINE, scopes=scopes[1:]), OPEN, scopes)
    refusal(replace(MACHINE, scopes=scopes), scopes=scopes)


def test_repetitions_count_once() -> None:
    twice = replace(MACHINE, scopes=("a", "b", "a"), grant_types=("client_credentials", "client_credentials"))
    checked = check(twice, OPEN, ("a", "b"))
    assert (checked.scopes, checked.grant_types) == (("a", "b"), ("client_credentials",))


@pytest.mark.case("C294")
def test_no_scope_beyond_those_that_may_be_asked_for() -> None:
    assert check(replace(MACHINE, scopes=("read",)), OPEN, ("read",)).scopes == ("read",)
    for scopes in (("admin",), ("read", "admin"), ("read admin",), ("",), ('a"b',), ("é",)):
        assert refusal(replace(MACHINE, scopes=scopes), scopes=("read",)).code == "invalid_client_metadata"


@pytest.mark.case("C294")
def test_a_client_without_a_secret_only_where_the_configuration_says_so() -> None:
    public = replace(WEBSITE, token_endpoint_auth_method="none")
    assert check(public, OPEN, ()).token_endpoint_auth_method == "none"
    refusal(public, Registration(authentication=("client_secret_basic",)))


def test_grant_types_are_those_of_the_configuration() -> None:
    for grants in ((), ("password",), ("client_credentials", "implicit"), ("urn:x",)):
        refusal(replace(MACHINE, grant_types=grants))
    password = replace(MACHINE, grant_types=("password",))
    assert check(password, Registration(grant_types=("password",)), ()) == password


@pytest.mark.parametrize(
    "wish",
    [
        replace(WEBSITE, grant_types=("client_credentials",), token_endpoint_auth_method="none"),
        replace(WEBSITE, grant_types=("refresh_token",)),
        replace(WEBSITE, grant_types=("client_credentials", "refresh_token")),
    ],
)
def test_a_wish_that_contradicts_itself_is_refused(wish: Metadata) -> None:
    assert refusal(wish).code == "invalid_client_metadata"


def test_people_who_sign_in_need_a_way_back() -> None:
    assert refusal(replace(WEBSITE, redirect_uris=())).code == "invalid_redirect_uri"


@pytest.mark.parametrize("method", ["private_key_jwt", "tls_client_auth"])
def test_keys_are_not_registered(method: str) -> None:
    wish = replace(MACHINE, token_endpoint_auth_method=method)
    refusal(wish, Registration(authentication=(method,)))


def test_a_document_of_rfc_7591_is_a_wish() -> None:
    document = {
        "client_name": "Shop",
        "client_uri": "https://shop.example.com",
        "redirect_uris": ["https://shop.example.com/callback"],
        "grant_types": ["authorization_code"],
        "token_endpoint_auth_method": "none",
        "scope": "read write",
        "contacts": ["shop@example.com"],
        "description": "Sells.",
    }
    assert metadata_of(document, OPEN) == Metadata(
        client_name="Shop",
        description="Sells.",
        client_uri="https://shop.example.com",
        redirect_uris=("https://shop.example.com/callback",),
        grant_types=("authorization_code",),
        token_endpoint_auth_method="none",
        scopes=("read", "write"),
        contacts=("shop@example.com",),
    )


def test_what_a_document_leaves_out_is_as_the_configuration_has_it_first() -> None:
    registration = Registration(grant_types=("authorization_code",), authentication=("client_secret_post", "none"))
    wish = metadata_of({"client_name": "Shop"}, registration)
    assert wish.grant_types == ("authorization_code",)
    assert wish.token_endpoint_auth_method == "client_secret_post"


@pytest.mark.case("C294")
@pytest.mark.parametrize(
    "member",
    [
        "client_id",
        "client_secret",
        "client_secret_expires_at",
        "registration_access_token",
        "registration_client_uri",
        "owner",
        "software_id",
        "state",
        "manageable",
        "application_type",
        "response_types",
        "scopes",
        "__class__",
    ],
)
def test_a_document_cannot_set_what_is_not_for_people_to_choose(member: str) -> None:
    with pytest.raises(mistakes.Invalid) as refused:
        metadata_of({"client_name": "Shop", member: "x"}, OPEN)
    assert refused.value.code == "invalid_client_metadata"


@pytest.mark.case("C293")
@pytest.mark.parametrize(
    "member",
    [
        "jwks_uri",
        "logo_uri",
        "policy_uri",
        "tos_uri",
        "sector_identifier_uri",
        "request_uris",
        "initiate_login_uri",
        "jwks",
        "software_statement",
        "backchannel_logout_uri",
        "post_logout_redirect_uris",
    ],
)
def test_a_document_cannot_name_a_url_that_somebody_would_fetch(member: str) -> None:
    for url in ("http://169.254.169.254/", "http://[::ffff:127.0.0.1]/", "http://2130706433/", "file:///etc/passwd"):
        with pytest.raises(mistakes.Invalid):
            metadata_of({"client_name": "Shop", member: url}, OPEN)


@given(
    st.dictionaries(
        st.sampled_from(["client_name", "redirect_uris", "grant_types", "scope", "contacts", "client_uri"]) | st.text(),
        st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5),
        max_size=6,
    )
)
def test_any_document_gives_a_wish_or_a_refusal(document: dict[str, object]) -> None:
    with suppress(mistakes.Invalid):
        assert isinstance(check(metadata_of(document, OPEN), OPEN, ()), Metadata)

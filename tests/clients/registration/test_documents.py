"""What a provider is sent."""

from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker  # type: ignore[import-untyped]  # no stubs here

from gateway.clients import mistakes
from gateway.clients.client import Metadata, Registered
from gateway.clients.registration.documents import registration_document, update_document
from gateway.clients.registration.replies import known
from gateway.clients.registration.wishes import check
from gateway.providers.registration import Registration
from tests.clients.registration.opened import MACHINE, WEBSITE, like
from tests.clients.registration.rfc7591 import METADATA

EVERYTHING = Registration(
    grant_types=("client_credentials", "authorization_code", "refresh_token", "implicit", "password")
)
VALID = Draft202012Validator(METADATA, format_checker=FormatChecker())
ENDPOINT = "https://idp.example.com/register"

texts = st.from_regex(r"[A-Za-z é商]{1,20}", fullmatch=True) | st.text(max_size=20)
wishes = st.builds(
    Metadata,
    client_name=texts,
    description=texts,
    client_uri=st.none() | st.sampled_from(["https://a.example/", "http://127.0.0.1/x"]),
    redirect_uris=st.lists(
        st.sampled_from(["https://a.example/cb", "com.example.app:/cb", "http://[::1]:7/cb", "https://b.example"]),
        min_size=1,
        max_size=3,
    ).map(tuple),
    grant_types=st.lists(st.sampled_from(EVERYTHING.grant_types), min_size=1, max_size=4).map(tuple),
    token_endpoint_auth_method=st.sampled_from(EVERYTHING.authentication),
    scopes=st.lists(st.sampled_from(["read", "write", "a:b"]), max_size=3).map(tuple),
    contacts=st.lists(st.sampled_from(["a@example.com", "b@example.com"]), max_size=3).map(tuple),
)


@given(wishes, st.text(alphabet="abcdef0123456789", min_size=1, max_size=36))
def test_whatever_is_accepted_makes_a_document_of_rfc_7591(wish: Metadata, software_id: str) -> None:
    try:
        checked = check(wish, EVERYTHING, ("read", "write", "a:b"))
    except mistakes.Invalid:
        assume(False)
    VALID.validate(registration_document(checked, EVERYTHING, software_id))


def test_a_machine_asks_for_no_response_types() -> None:
    assert registration_document(MACHINE, EVERYTHING, "id-7") == {
        "application_type": "web",
        "client_name": "Shop",
        "contacts": ["shop@example.com"],
        "grant_types": ["client_credentials"],
        "redirect_uris": [],
        "response_types": [],
        "software_id": "id-7",
        "token_endpoint_auth_method": "client_secret_basic",
    }


def test_a_description_stays_here() -> None:
    assert "description" not in registration_document(replace(MACHINE, description="Sells."), EVERYTHING, "id-7")


@pytest.mark.parametrize(
    ("grants", "responses"),
    [
        (("authorization_code",), ["code"]),
        (("implicit",), ["id_token", "token"]),
        (("authorization_code", "implicit"), ["code", "id_token", "token"]),
    ],
)
def test_response_types_follow_from_grant_types(grants: tuple[str, ...], responses: list[str]) -> None:
    wish = replace(WEBSITE, grant_types=grants)
    assert registration_document(wish, EVERYTHING, "id-7")["response_types"] == responses


def test_a_scheme_of_its_own_makes_a_native_application() -> None:
    wish = replace(WEBSITE, redirect_uris=("https://a.example/cb", "com.example.app:/cb"))
    assert registration_document(wish, EVERYTHING, "id-7")["application_type"] == "native"


def test_okta_is_told_what_kind_of_application_it_is_and_nothing_that_it_does_not_know() -> None:
    okta = like("okta")
    machine = registration_document(replace(MACHINE, scopes=("read",)), okta, "id-7")
    assert (machine["application_type"], machine["response_types"]) == ("service", ["token"])
    assert not {"scope", "contacts", "software_id"} & set(machine)
    public = replace(WEBSITE, token_endpoint_auth_method="none")
    assert registration_document(public, okta, "id-7")["application_type"] == "browser"
    assert registration_document(WEBSITE, okta, "id-7")["application_type"] == "web"


def registered(**members: object) -> Registered:
    return known({"client_id": "shop-7", "client_secret": "s3cret", **members}, ENDPOINT)


def test_an_update_sends_back_what_the_provider_said_and_what_people_chose() -> None:
    before = registered(
        client_name="Before",
        scope="old",
        contacts=["old@example.com"],
        subject_type="public",
        software_id="id-7",
        logo_uri=None,
        _links={},
    )
    document = update_document(replace(MACHINE, contacts=()), EVERYTHING, before, keep_secret=True)
    assert document == {
        "application_type": "web",
        "client_id": "shop-7",
        "client_name": "Shop",
        "client_secret": "s3cret",
        "grant_types": ["client_credentials"],
        "redirect_uris": [],
        "response_types": [],
        "software_id": "id-7",
        "subject_type": "public",
        "token_endpoint_auth_method": "client_secret_basic",
    }


def test_an_update_holds_nothing_that_is_the_providers_to_say() -> None:
    before = registered(
        registration_access_token="rat",
        registration_client_uri=f"{ENDPOINT}/shop-7",
        client_secret_expires_at=0,
        client_id_issued_at=1,
        client_secret_id="ocs1",
    )
    document = update_document(MACHINE, EVERYTHING, before, keep_secret=True)
    assert not {
        "registration_access_token",
        "registration_client_uri",
        "client_secret_expires_at",
        "client_id_issued_at",
        "client_secret_id",
        "software_id",
    } & set(document)


def test_a_new_secret_is_asked_for_by_leaving_the_old_one_out() -> None:
    assert "client_secret" not in update_document(MACHINE, EVERYTHING, registered(), keep_secret=False)


def test_a_client_that_becomes_public_leaves_its_secret_behind() -> None:
    public = replace(WEBSITE, token_endpoint_auth_method="none")
    assert "client_secret" not in update_document(public, EVERYTHING, registered(), keep_secret=True)

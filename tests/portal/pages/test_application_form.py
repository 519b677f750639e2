"""The form that describes an application and asks for access."""

from dataclasses import replace

import pytest
from multidict import MultiDict

from gateway.clients.catalogue import Api
from gateway.clients.client import OPERATOR, Actor, Metadata, Person
from gateway.clients.mistakes import Conflict, Invalid
from gateway.portal.pages.application_form import (
    Typed,
    asking_mistakes,
    describing_mistakes,
    refused,
    typed,
    untouched,
)
from gateway.providers.registration import Registration
from tests.portal.pages.catalogues import CATALOGUE, ORDERS, WEATHER

REGISTRATION = Registration()
FORM = MultiDict(
    {
        "name": " Shop ",
        "description": "Sells\r\nthings.",
        "client_uri": "https://shop.example",
        "redirect_uris": "https://shop.example/a\r\n\r\n  https://shop.example/b  ",
        "contacts": "ada@shop.example",
        "grant_types": "authorization_code",
        "authentication": "client_secret_basic",
        "tier": "free",
        "terms": "accepted",
        "reason": "We sell.",
    }
)
GOOD = typed(FORM)


def _mistakes(of: Typed, api: Api = ORDERS) -> set[str]:
    return set(asking_mistakes(of, api, CATALOGUE, REGISTRATION))


def test_what_was_typed_means_an_application() -> None:
    assert typed(FORM, ("orders.read",)).metadata == Metadata(
        client_name="Shop",
        description="Sells\nthings.",
        client_uri="https://shop.example",
        redirect_uris=("https://shop.example/a", "https://shop.example/b"),
        grant_types=("authorization_code",),
        token_endpoint_auth_method="client_secret_basic",
        scopes=("orders.read",),
        contacts=("ada@shop.example",),
    )


def test_a_complete_form_has_no_mistakes() -> None:
    assert _mistakes(GOOD) == set()


def test_an_empty_form_names_every_field_that_must_be_filled() -> None:
    assert _mistakes(typed(MultiDict())) == {"name", "grant_types", "authentication", "tier", "terms"}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"description": "x" * 2_001}, "description"),
        ({"client_uri": "javascript:alert(1)"}, "client_uri"),
        ({"client_uri": "shop.example"}, "client_uri"),
        ({"grant_types": ()}, "grant_types"),
        ({"grant_types": ("client_credentials", "implicit")}, "grant_types"),
        ({"authentication": "private_key_jwt"}, "authentication"),
        ({"redirect_uris": ""}, "redirect_uris"),
        ({"redirect_uris": "https://a.example\n" * 21}, "redirect_uris"),
        ({"contacts": "a@b.example\n" * 21}, "contacts"),
        ({"tier": "old"}, "tier"),
        ({"tier": ""}, "tier"),
        ({"accepted": False}, "terms"),
        ({"reason": "x" * 2_001}, "reason"),
    ],
)
def test_each_mistake_is_told_at_its_field(change: dict[str, object], field: str) -> None:
    assert _mistakes(replace(GOOD, **change)) == {field}  # type: ignore[arg-type]  # parametrised by field name


def test_limits_of_length_are_inclusive() -> None:
    assert _mistakes(replace(GOOD, name="x" * 100, description="x" * 2_000, reason="x" * 2_000)) == set()


def test_an_application_that_exists_needs_no_description() -> None:
    assert _mistakes(Typed(application="c1", tier="free", accepted=True)) == set()


def test_an_api_without_tiers_and_terms_asks_for_neither() -> None:
    assert _mistakes(replace(GOOD, tier="", accepted=False), WEATHER) == set()


def test_a_service_needs_no_redirect_uri() -> None:
    service = replace(GOOD, grant_types=("client_credentials",), redirect_uris="")
    assert describing_mistakes(service, REGISTRATION) == {}


def test_the_form_begins_with_what_most_choose() -> None:
    ada = Actor(person=Person(provider="demo", subject="ada", email="ada@example.com"))
    begun = untouched(REGISTRATION, ORDERS, ada)
    assert begun.grant_types == ("client_credentials",)
    assert begun.authentication == "client_secret_basic"
    assert begun.contacts == "ada@example.com"
    assert not begun.accepted


def test_the_form_begins_with_what_the_provider_allows() -> None:
    narrow = Registration(grant_types=("authorization_code",), authentication=("none",))
    begun = untouched(narrow, WEATHER, OPERATOR)
    assert (begun.grant_types, begun.authentication) == (("authorization_code",), "none")


def test_a_refusal_is_shown_at_the_field_that_it_is_about() -> None:
    invalid = Invalid("It has a fragment.", "invalid_redirect_uri", "redirect_uris")
    assert refused(invalid) == {"redirect_uris": "It has a fragment."}
    assert refused(Conflict("You have one.", "name_taken")) == {"name": "You have one."}
    assert refused(Conflict("There is one already.", "exists_already")) == {"": "There is one already."}

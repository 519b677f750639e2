"""An application in words, and what can be done to it."""

from dataclasses import replace

import pytest

from gateway.clients.client import Actor, Agreement, Client, ClientState, Metadata, Person
from gateway.clients.life import State
from gateway.portal.pages.agreement_view import agreement_view, person_name, tier_choices
from gateway.portal.pages.application_view import ApplicationView, application_view, next_step
from tests.fakes import NOON
from tests.portal.pages.catalogues import CATALOGUE

ADA = Person(provider="demo", subject="ada", name="Ada", email="ada@example.com")
CLIENT = Client(
    id="c1",
    provider="demo",
    client_id="shop",
    state=ClientState.REGISTERED,
    metadata=Metadata(client_name="Shop", client_uri="https://shop.example"),
    owner=ADA,
    created_at=NOON,
)
AGREEMENT = Agreement(id="a1", client="c1", api="orders", state=State.ACTIVE, tier="gold", asked_at=NOON)


def _view(client: Client, by: Person = ADA, *, decides: bool = False) -> ApplicationView:
    return application_view(client, (AGREEMENT,), CATALOGUE, NOON, Actor(person=by, decides=decides))


def test_credentials_can_be_shown_until_they_were() -> None:
    assert _view(CLIENT).can_reveal
    assert not _view(replace(CLIENT, revealed=True)).can_reveal


def test_whoever_decides_is_offered_nobody_elses_secret() -> None:
    view = _view(CLIENT, Person(provider="demo", subject="olga"), decides=True)
    assert (view.can_reveal, view.can_rotate, view.next_step) == (False, False, "")
    assert (view.can_edit, view.can_delete) == (True, True)


def test_an_application_that_nobody_registered_has_no_credentials_to_show() -> None:
    draft = _view(replace(CLIENT, state=ClientState.DRAFT, client_id=None))
    assert (draft.can_reveal, draft.can_rotate, draft.can_edit) == (False, False, True)


def test_a_public_client_has_no_secret_to_make_anew() -> None:
    public = replace(CLIENT, metadata=Metadata(client_name="App", token_endpoint_auth_method="none"))
    assert not _view(public).can_rotate


def test_nothing_can_be_done_to_what_was_deleted() -> None:
    gone = _view(replace(CLIENT, state=ClientState.DELETED))
    assert not any((gone.can_reveal, gone.can_rotate, gone.can_edit, gone.can_delete))


@pytest.mark.case("C301")
def test_an_address_of_another_kind_is_shown_and_is_no_link() -> None:
    hostile = _view(replace(CLIENT, metadata=Metadata(client_name="x", client_uri="javascript:alert(1)")))
    assert (hostile.url, hostile.link) == ("javascript:alert(1)", None)


def test_a_secret_that_ends_within_two_weeks_ends_soon() -> None:
    two_weeks = 14 * 86_400.0
    assert _view(replace(CLIENT, secret_expires_at=NOON + two_weeks - 1)).secret_ends_soon
    assert not _view(replace(CLIENT, secret_expires_at=NOON + two_weeks)).secret_ends_soon
    assert not _view(CLIENT).secret_ends_soon


def test_who_waits_is_told_what_for() -> None:
    draft = replace(CLIENT, state=ClientState.DRAFT)
    assert "Its owners were told" in next_step(draft, (replace(AGREEMENT, state=State.REQUESTED),))
    assert "Ask for access" in next_step(draft, (replace(AGREEMENT, state=State.REFUSED),))


def test_who_has_everything_is_told_nothing() -> None:
    assert next_step(replace(CLIENT, revealed=True), (AGREEMENT,)) == ""


def test_a_tier_other_than_the_one_asked_for_is_told() -> None:
    assert agreement_view(replace(AGREEMENT, asked_tier="free"), CATALOGUE).asked_tier == "Free"
    assert agreement_view(replace(AGREEMENT, asked_tier="gold"), CATALOGUE).asked_tier == ""
    assert agreement_view(AGREEMENT, CATALOGUE).asked_tier == ""


def test_an_owner_may_grant_any_tier_that_is_offered_the_wanted_one_first() -> None:
    assert [choice.value for choice in tier_choices(AGREEMENT, CATALOGUE)] == ["gold", "free"]
    assert tier_choices(replace(AGREEMENT, api="gone"), CATALOGUE) == ()


def test_an_owner_sees_the_limits_that_developers_are_not_told_of() -> None:
    assert "7 requests per second" in tier_choices(AGREEMENT, CATALOGUE)[0].about


@pytest.mark.parametrize(
    ("person", "name"),
    [
        (ADA, "Ada"),
        (replace(ADA, name=""), "ada@example.com"),
        (replace(ADA, name="", email=""), "demo:ada"),
        (None, "Operator"),
    ],
)
def test_people_are_called_by_the_best_name_that_is_known(person: Person | None, name: str) -> None:
    assert person_name(person) == name

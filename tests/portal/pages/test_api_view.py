"""An API in words."""

from dataclasses import replace

from gateway.clients.catalogue import Catalogue
from gateway.portal.pages.api_view import api_view, listed, tier_title, title_of
from tests.portal.pages.catalogues import CATALOGUE, ORDERS, WEATHER


def test_only_listed_apis_are_in_the_catalogue_by_their_titles() -> None:
    assert [api.title for api in listed(CATALOGUE)] == ["Orders", "Weather"]


def test_a_tier_that_can_no_longer_be_asked_for_is_not_offered() -> None:
    assert [tier.name for tier in api_view(ORDERS, CATALOGUE).tiers] == ["free", "gold"]


def test_limits_that_developers_are_not_told_of_stay_untold() -> None:
    assert api_view(ORDERS, CATALOGUE).tiers[1].limits == ("9 requests per hour",)


def test_who_approves_is_said_of_the_api_when_it_holds_for_all_its_tiers() -> None:
    assert api_view(WEATHER, CATALOGUE).approval == "Access is given at once."
    assert api_view(ORDERS, CATALOGUE).approval == ""


def test_a_documentation_link_of_another_kind_is_left_out() -> None:
    assert api_view(replace(ORDERS, documentation="javascript:alert(1)"), CATALOGUE).documentation is None


def test_an_api_without_a_title_is_called_by_its_name() -> None:
    assert api_view(replace(WEATHER, title=""), CATALOGUE).title == "weather"


def test_what_has_left_the_catalogue_keeps_its_name() -> None:
    assert title_of("gone", Catalogue()) == "gone"
    assert tier_title("gone", Catalogue()) == "gone"
    assert tier_title(None, Catalogue()) == ""

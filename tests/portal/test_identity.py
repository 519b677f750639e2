"""Who signed in, in our words."""

import pytest

from gateway.portal.identity import decides, person
from gateway.settings.portal import Owners

GROUPS = Owners(claim="groups", any_of=("admins", "owners"))


@pytest.mark.parametrize(
    ("claims", "name"),
    [
        ({"name": "Alice", "preferred_username": "al"}, "Alice"),
        ({"name": "", "preferred_username": "al"}, "al"),
        ({"name": 7}, ""),
        ({"name": " Ali\n\tce \u202e\x1b[31m\x00 "}, "Alice [31m"),
        ({"name": "x" * 500}, "x" * 200),
        ({"name": "Zoë Ångström"}, "Zoë Ångström"),
        ({"name": "\ud800"}, ""),
    ],
    ids=str,
)
@pytest.mark.case("C301")
def test_a_name_is_one_line_of_what_can_be_seen(claims: dict[str, object], name: str) -> None:
    assert person("idp", "alice-id", claims).name == name


@pytest.mark.parametrize(
    ("claims", "email"),
    [
        ({"email": "alice@example.com"}, "alice@example.com"),
        ({"email": "alice@example.com", "email_verified": True}, "alice@example.com"),
        ({"email": "alice@example.com", "email_verified": False}, ""),
        ({"email": "alice"}, ""),
        ({"email": "alice@example.com, mallory@example.com"}, ""),
        ({"email": ["alice@example.com"]}, ""),
    ],
    ids=str,
)
def test_an_address_is_one_that_the_provider_vouches_for(claims: dict[str, object], email: str) -> None:
    assert person("idp", "alice-id", claims).email == email


@pytest.mark.parametrize("groups", ["admins", ["staff", "owners"], ["admins", 7]], ids=str)
def test_a_value_of_the_claim_makes_an_owner(groups: object) -> None:
    assert decides(GROUPS, {"groups": groups}, frozenset())


@pytest.mark.parametrize(
    "groups",
    [None, [], "", "staff", "admins owners", "ADMINS", ["admins "], {"admins": True}, True, [["admins"]]],
    ids=str,
)
def test_anything_else_makes_none(groups: object) -> None:
    assert not decides(GROUPS, {"groups": groups}, frozenset())


def test_without_a_rule_nobody_is_an_owner() -> None:
    assert not decides(Owners(), {"groups": ["admins"], "": ""}, frozenset({"openid", "admins"}))


def test_all_scopes_that_are_named_are_needed() -> None:
    owners = Owners(scopes=("portal.own", "portal.see"))
    assert decides(owners, {}, frozenset({"openid", "portal.own", "portal.see"}))
    assert not decides(owners, {}, frozenset({"openid", "portal.own"}))


@pytest.mark.parametrize(("verified", "is_owner"), [(True, True), ("true", True), (False, False), ("false", False)])
def test_an_address_that_somebody_only_says_is_theirs_makes_no_owner(verified: object, *, is_owner: bool) -> None:
    olga = {"email": "olga@example.com", "email_verified": verified}
    assert decides(Owners(claim="email", any_of=("olga@example.com",)), olga, frozenset()) is is_owner
    assert bool(person("idp", "mallory", olga).email) is is_owner

"""Where a request's credential is found, and how it must not be presented."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from policies.token_enforcement.credential import (
    MALFORMED,
    MISNAMED,
    REPEATED,
    Credential,
    Found,
    cookies_without,
    find_credential,
)
from policies.token_enforcement.options import Sources
from tests.fakes import request

HEADER_ONLY = Sources()
IN_QUERY = Sources(query="access_token")
IN_FORM = Sources(form="access_token")
IN_COOKIE = Sources(cookie="session")
IN_HEADER = Sources(header="X-Access-Token")


def authorization(*values: str) -> list[tuple[str, str]]:
    return [("Authorization", value) for value in values]


def value_of(found: Found) -> str | None:
    assert found is None or isinstance(found, Credential), found
    return None if found is None else found.value


# --- the Authorization header ---


@pytest.mark.case("C001")
def test_a_request_without_any_credential_has_none() -> None:
    assert find_credential(request(), HEADER_ONLY) is None


@pytest.mark.case("C002", "C023")
@pytest.mark.parametrize("value", ["Basic YWxpY2U6c2VjcmV0", "DPoP abc", "Digest x", "Bearerabc", "Bearer\tabc", ""])
def test_another_scheme_is_no_bearer_credential(value: str) -> None:
    assert find_credential(request(headers=authorization(value)), HEADER_ONLY) is None


@pytest.mark.case("C003")
@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "BeArEr"])
def test_the_name_of_the_scheme_is_compared_without_regard_to_case(scheme: str) -> None:
    assert value_of(find_credential(request(headers=authorization(f"{scheme} abc")), HEADER_ONLY)) == "abc"


@pytest.mark.case("C004")
@pytest.mark.parametrize("value", ["Bearer", "Bearer ", "Bearer   "])
def test_a_bearer_scheme_without_a_token_is_malformed(value: str) -> None:
    assert find_credential(request(headers=authorization(value)), HEADER_ONLY) is MALFORMED


@pytest.mark.case("C005")
def test_several_spaces_before_the_token_are_as_good_as_one() -> None:
    assert value_of(find_credential(request(headers=authorization("Bearer    abc")), HEADER_ONLY)) == "abc"


@pytest.mark.case("C008", "C009")
@pytest.mark.parametrize(
    "values",
    [("Bearer a", "Bearer a"), ("Bearer a", "Bearer b"), ("Bearer b", "Bearer a"), ("Basic a", "Bearer b"), ("", "")],
)
def test_two_authorization_headers_are_one_too_many(values: tuple[str, ...]) -> None:
    assert find_credential(request(headers=authorization(*values)), HEADER_ONLY) is REPEATED


def test_the_authorization_header_is_not_looked_at_where_the_route_says_so() -> None:
    assert find_credential(request("abc"), Sources(authorization=False, header="X-Access-Token")) is None


# --- the other places ---


@pytest.mark.case("C012")
def test_a_query_token_is_no_credential_where_query_tokens_are_off() -> None:
    assert find_credential(request(query="access_token=abc"), HEADER_ONLY) is None


def test_a_query_token_is_found_where_query_tokens_are_on() -> None:
    assert value_of(find_credential(request(query="a=b&access_token=abc"), IN_QUERY)) == "abc"


@pytest.mark.case("C011")
@pytest.mark.parametrize("sources", [HEADER_ONLY, IN_QUERY, IN_FORM, IN_COOKIE, Sources(query="token")])
def test_a_query_token_beside_a_header_token_is_one_too_many_wherever_tokens_are_read(sources: Sources) -> None:
    assert find_credential(request("abc", query="access_token=abc"), sources) is REPEATED


@pytest.mark.case("C013")
def test_two_query_tokens_are_one_too_many() -> None:
    assert find_credential(request(query="access_token=a&access_token=a"), IN_QUERY) is REPEATED


@pytest.mark.case("C013")
@pytest.mark.parametrize(
    "name", ["access_token[]", "Access_Token", "ACCESS_TOKEN", "access_token%5B%5D", "access_toke%4E"]
)
def test_a_query_token_by_a_name_that_some_take_for_the_same_is_misnamed(name: str) -> None:
    assert find_credential(request(query=f"{name}=a"), IN_QUERY) is MISNAMED
    assert find_credential(request(query=f"access_token=b&{name}=a"), IN_QUERY) is MISNAMED


def test_a_query_token_is_decoded_as_a_form_is() -> None:
    assert value_of(find_credential(request(query="access%5Ftoken=a%2Bb"), IN_QUERY)) == "a+b"


@pytest.mark.parametrize("query", ["access_token=", "access_token"])
def test_an_empty_query_token_is_malformed(query: str) -> None:
    assert find_credential(request(query=query), IN_QUERY) is MALFORMED


@pytest.mark.case("C014")
def test_a_form_token_is_no_credential_where_form_tokens_are_off() -> None:
    form = CIMultiDict({"access_token": "other"})
    assert value_of(find_credential(request("abc", form=form), HEADER_ONLY)) == "abc"
    assert find_credential(request(form=form), HEADER_ONLY) is None


def test_a_form_token_is_found_once_where_form_tokens_are_on() -> None:
    once = CIMultiDict({"access_token": "abc"})
    assert value_of(find_credential(request(form=once), IN_FORM)) == "abc"
    assert find_credential(request(form=None), IN_FORM) is None
    assert find_credential(request(form=CIMultiDict([*once.items(), *once.items()])), IN_FORM) is REPEATED
    assert find_credential(request("abc", form=once), IN_FORM) is REPEATED


@pytest.mark.case("C015")
def test_a_cookie_is_no_credential_where_cookie_tokens_are_off() -> None:
    assert find_credential(request(headers=[("Cookie", "session=abc; access_token=abc")]), HEADER_ONLY) is None


@pytest.mark.case("C015")
@pytest.mark.parametrize(
    ("cookie", "expected"),
    [
        ("session=abc", "abc"),
        ("a=b; session=abc; c=d", "abc"),
        ('session="abc"', "abc"),
        ("; ;=;session=abc;;", "abc"),
        ("SESSION=abc", None),
        ("session", None),
        ("sessionx=abc", None),
        ("", None),
    ],
)
def test_a_cookie_token_is_found_among_whatever_else_a_cookie_header_holds(cookie: str, expected: str | None) -> None:
    assert value_of(find_credential(request(headers=[("Cookie", cookie)]), IN_COOKIE)) == expected


def test_two_cookies_of_the_name_are_one_too_many_in_one_header_or_in_two() -> None:
    one_header = [("Cookie", "session=a; session=b")]
    two_headers = [("Cookie", "session=a"), ("Cookie", "session=b")]
    assert find_credential(request(headers=one_header), IN_COOKIE) is REPEATED
    assert find_credential(request(headers=two_headers), IN_COOKIE) is REPEATED


@pytest.mark.case("C022")
@pytest.mark.parametrize("name", ["X-Access-Token", "X-Forwarded-Access-Token", "X-Authorization"])
def test_another_header_is_no_credential_unless_the_route_names_it(name: str) -> None:
    sent = request(headers=[(name, "abc")])
    assert find_credential(sent, HEADER_ONLY) is None
    assert value_of(find_credential(sent, Sources(header=name))) == "abc"


def test_a_named_header_beside_another_place_is_one_too_many() -> None:
    named = [("X-Access-Token", "abc")]
    assert find_credential(request("abc", headers=named), IN_HEADER) is REPEATED
    assert find_credential(request(headers=[*named, *named]), IN_HEADER) is REPEATED
    assert find_credential(request(headers=[("X-Access-Token", "")]), IN_HEADER) is MALFORMED


IN_HEADERS = {
    "authorization": ("Authorization", "Bearer a"),
    "header": ("X-Access-Token", "b"),
    "cookie": ("Cookie", "session=c"),
}
PLACES = [*IN_HEADERS, "query", "form"]
EVERYWHERE = Sources(query="access_token", form="access_token", cookie="session", header="X-Access-Token")


@given(places=st.sets(st.sampled_from(PLACES)))
def test_of_all_places_a_credential_stands_in_exactly_one(places: set[str]) -> None:
    headers = [IN_HEADERS[place] for place in places if place in IN_HEADERS]
    query = "access_token=d" if "query" in places else ""
    form = CIMultiDict({"access_token": "e"}) if "form" in places else None
    found = find_credential(request(headers=headers, query=query, form=form), EVERYWHERE)
    match len(places):
        case 0:
            assert found is None
        case 1:
            assert isinstance(found, Credential)
        case _:
            assert found is REPEATED


# --- what a credential is ---


@pytest.mark.parametrize("token", ["abc", "a-b.c_d~e+f/g", "YQ==", "00D!AQ4", "a" * 5000])
def test_what_rfc_6750_and_salesforce_spell_is_well_formed(token: str) -> None:
    assert Credential(token).is_well_formed


@pytest.mark.case("C007", "C016")
@pytest.mark.parametrize(
    "token",
    [
        "",
        "a b",
        "a,b",
        "a;x=1",
        "=",
        "a=b",
        "\udce9",
        "tök",
        "a\n",
        "a\r\nX-Evil: 1",
        "a\0",
        '"a"',
        "a%20b",
        "{}",
        "<a>",
    ],
)
def test_what_no_bearer_token_can_be_is_not_well_formed(token: str) -> None:
    assert not Credential(token).is_well_formed


@given(token=st.text())
def test_nothing_well_formed_could_inject_anything_anywhere(token: str) -> None:
    if Credential(token).is_well_formed:
        assert token.isascii()
        assert token.isprintable()
        assert not set(token) & set(" \"'\\<>&;,%{}*$\r\n\t")


@pytest.mark.case("C016")
@given(octets=st.binary())
def test_the_octets_are_those_that_the_caller_sent(octets: bytes) -> None:
    # As aiohttp decodes header values.
    assert Credential(octets.decode("utf-8", "surrogateescape")).octets == octets


@pytest.mark.parametrize(
    ("token", "is_jwt"),
    [
        ("eyJhbGciOiJSUzI1NiJ9.e30.c2ln", True),
        ("eyA.x.y", True),
        ("ewo.x.y", True),
        ("e30.e30.", True),
        ("eyJhbGciOiJSUzI1NiJ9.e30", False),
        ("eyJhbGciOiJSUzI1NiJ9.e30.c2ln.x", False),
        ("a.b.c", False),
        ("2YotnFZFEjr1zCsicMWpAA", False),
    ],
)
def test_a_jwt_is_told_by_its_segments_and_its_first_octets(token: str, is_jwt: bool) -> None:
    assert Credential(token).looks_like_jwt is is_jwt


@pytest.mark.case("C307")
@given(token=st.text(min_size=4))
def test_the_repr_of_a_credential_shows_a_digest_and_never_the_token(token: str) -> None:
    shown = repr(Credential(token))
    assert len(shown) == len("Credential(sha256:)") + 12
    assert f"({token}" not in shown


# --- what is forwarded ---


@pytest.mark.parametrize(
    ("headers", "left"),
    [
        (["session=abc"], ""),
        (["a=b; session=abc; c=d"], "a=b; c=d"),
        (["a=b", "session=abc; c=d"], "a=b; c=d"),
        (["sessions=1; xsession=2; Session=3; session=abc"], "sessions=1; xsession=2; Session=3"),
        (["session; a=b"], "a=b"),
    ],
)
def test_only_the_cookie_that_holds_the_credential_is_taken_out(headers: list[str], left: str) -> None:
    assert cookies_without(request(headers=[("Cookie", header) for header in headers]), "session") == left

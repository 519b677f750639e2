"""A token of our own that is a JWT: whether it would count by the keys."""

from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from tests.doctor.examining import ACTIVE, all_of, found, report_on, sign
from tests.faulty_server import Verb, document

PERFECT = {"typ": "at+jwt"}


async def by_keys(
    header: dict[str, str],
    options: dict[str, Any] | None = None,
    route: dict[str, Any] | None = None,
    *,
    keys: Verb | None = None,
    **claims: Any,
) -> tuple[str, str, str]:
    def say(url: str) -> dict[str, Any]:
        said = {"iss": url, "exp": 4_000_000_000, **claims}
        minted = sign({name: value for name, value in said.items() if value is not None}, **header)
        usual = {"minted": minted, "token": document({"access_token": minted}), "about_minted": document(ACTIVE)}
        return {**usual, **({"keys": keys} if keys else {})}

    return found(await report_on(options, route, say=say), "JWT by keys")


async def test_a_jwt_that_counts() -> None:
    seen = "Our own token is a JWT (at+jwt), and a published key verifies it."
    assert await by_keys(PERFECT) == ("ok", seen, "")


async def test_a_jwt_of_another_type_is_told_what_to_write() -> None:
    assert await by_keys({"typ": "JWT"}) == (
        "warning",
        'The typ of its JWTs is "jwt"; by keys they would be refused (token_type_refused).',
        'Write dialect.jwt_types: ["at+jwt", "jwt"], and types on routes that have their own; then set audience, which '
        "keeps other JWTs out.",
    )
    assert (await by_keys({"typ": "JWT"}, {"dialect": {"jwt_types": ["at+jwt", "jwt"]}}))[0] == "ok"


async def test_a_type_that_one_route_does_not_accept() -> None:
    options = {"dialect": {"jwt_types": ["jwt"]}}
    assert (await by_keys({"typ": "JWT"}, options, {"types": ["at+jwt"]}))[0] == "warning"


async def test_it_is_a_failure_where_keys_come_first() -> None:
    assert (await by_keys({"typ": "JWT"}, route={"order": "keys_first"}))[0] == "failure"


async def test_a_key_that_is_not_published() -> None:
    assert await by_keys({**PERFECT, "kid": "another"}) == (
        "warning",
        "No published key verifies its JWTs (RS256).",
        "Let the provider sign with a key that it publishes, or correct endpoints.jwks.",
    )


async def test_a_jwt_of_another_issuer() -> None:
    assert await by_keys(PERFECT, iss="https://other.example") == (
        "warning",
        "Its JWTs name the issuer https://other.example; by keys they would be refused (token_issuer_refused).",
        "If that is the provider you mean, write issuer: https://other.example",
    )


async def test_a_jwt_that_never_expires() -> None:
    assert await by_keys(PERFECT, exp=None) == (
        "warning",
        "Its JWTs have no exp; by keys they would be refused (token_without_expiry).",
        "Let the provider say when a token expires (RFC 9068, 2.2).",
    )


async def test_nothing_is_said_of_a_token_that_is_no_jwt() -> None:
    assert all_of(await report_on(), "provider idp", "JWT by keys") == []


async def test_a_key_of_the_same_name_that_did_not_sign() -> None:
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
    keys = document({"keys": [{**RSAAlgorithm.to_jwk(other, as_dict=True), "kid": "one"}]})
    assert (await by_keys(PERFECT, keys=keys))[1] == "No published key verifies its JWTs (RS256)."

"""How real identity providers differ where standards say one thing: what the gateway takes for granted, shown true."""

from collections.abc import Callable
from typing import NamedTuple

import pytest

from tests.idp import observations as see
from tests.idp import registrations as manage
from tests.idp.provider import IdentityProvider


class Quirk(NamedTuple):
    """What is asked, and what each server answers."""

    ask: Callable[[IdentityProvider], object]
    oidc_provider: object
    glewlwyd: object


MANAGEMENT = {"registration_access_token", "registration_client_uri", "client_secret"}
QUIRKS = [
    Quirk(see.path_of_the_issuer, "", "/api/oidc"),
    Quirk(see.refusal_of_a_wrong_secret, (401, "application/json", "Basic"), (401, "", "")),
    Quirk(see.refusal_of_no_credentials, (400, "invalid_request"), (401, None)),
    Quirk(see.answer_to_a_client_without_permission, (200, False), (200, True)),
    Quirk(see.answer_about_nonsense, (200, {"active": False}), (200, {"active": False})),
    Quirk(see.answer_about_a_signed_token, (400, "unsupported_token_type"), (200, True)),
    Quirk(see.token_type, "Bearer", "bearer"),
    Quirk(see.audience, None, "read"),
    Quirk(see.subject_of_client_credentials, None, None),
    Quirk(see.further_claims, {"iss", "iat"}, {"iat", "nbf", "jti"}),
    Quirk(see.further_claims_about_a_user, {"iss", "iat"}, {"iat", "nbf", "jti", "username"}),
    Quirk(see.refresh_token_with_the_hint, (True, None), (False, None)),
    Quirk(see.refresh_token_without_a_hint, (True, None), (True, "refresh_token")),
    Quirk(see.answer_about_a_revoked_token, (200, {"active": False}), (200, {"active": False})),
    Quirk(see.revocation_by_another_client, (400, True), (200, False)),
    Quirk(see.audience_of_a_signed_answer, "gateway", "read"),
    Quirk(see.type_of_a_signed_token, "at+jwt", "at+jwt"),
    Quirk(manage.status_of_a_registration, 201, 200),
    Quirk(manage.fate_of_unknown_metadata, "dropped", "kept"),
    Quirk(manage.what_a_read_repeats, MANAGEMENT, {"client_secret"}),
    Quirk(manage.authentication_method_as_read, "client_secret_basic", ["client_secret_basic"]),
    Quirk(manage.grant_types_as_read, ["client_credentials"], ["authorization_code", "client_credentials"]),
    Quirk(manage.what_an_update_replaces, {"registration_access_token"}, {"client_secret"}),
    Quirk(manage.status_of_a_deletion, 204, 200),
    Quirk(manage.token_of_a_deleted_client, True, True),
]


def name_of(quirk: Quirk) -> str:
    return quirk.ask.__name__


@pytest.mark.parametrize("quirk", QUIRKS, ids=name_of)
@pytest.mark.parametrize("server", ["oidc_provider", "glewlwyd"])
def test_the_server_answers_as_the_table_says(quirk: Quirk, server: str, request: pytest.FixtureRequest) -> None:
    provider: IdentityProvider = request.getfixturevalue(server)
    assert quirk.ask(provider) == getattr(quirk, server)

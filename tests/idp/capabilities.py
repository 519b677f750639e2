"""What each provider cannot do, in one place: what a test needs is asked of this table, and a skip says it in words."""

from collections.abc import Mapping
from enum import Enum, auto

import pytest
from _pytest.mark import ParameterSet

from tests.idp.fixtures import MISSING, must_be_here


class Can(Enum):
    """What a test may need of a provider."""

    ISSUE_OPAQUE_TOKENS = auto()
    INTROSPECT_JWTS = auto()
    NAME_AUDIENCES = auto()
    CHOOSE_LIFETIMES = auto()
    ROTATE_KEYS = auto()
    SIGN_WITH_SEVERAL_ALGORITHMS = auto()
    BIND_TOKENS_TO_KEYS = auto()
    ISSUE_ID_TOKENS = auto()
    PUBLISH_RFC_8414_METADATA = auto()
    FORBID_INTROSPECTION = auto()
    TAKE_ODD_SECRETS = auto()
    TAKE_CLIENT_ASSERTIONS = auto()
    TAKE_EDDSA_ASSERTIONS = auto()
    SIGN_ANSWERS = auto()
    ADDRESS_SIGNED_ANSWERS = auto()
    KEEP_TOKENS_OF_DELETED_CLIENTS = auto()


CANNOT: Mapping[str, Mapping[Can, str]] = {
    "oidc_provider": {
        Can.INTROSPECT_JWTS: "oidc-provider refuses to introspect JWTs: 400 unsupported_token_type",
    },
    "glewlwyd": {
        Can.ISSUE_OPAQUE_TOKENS: "glewlwyd signs every access token",
        Can.NAME_AUDIENCES: "glewlwyd puts the scope into aud, whatever resource is asked for",
        Can.CHOOSE_LIFETIMES: "glewlwyd has one lifetime for all access tokens",
        Can.ROTATE_KEYS: "glewlwyd has the keys that its plugin was set up with",
        Can.SIGN_WITH_SEVERAL_ALGORITHMS: "glewlwyd has one signing algorithm for all clients",
        Can.ISSUE_ID_TOKENS: "glewlwyd gives no id token for a password, and its code flow needs its own web page",
        Can.PUBLISH_RFC_8414_METADATA: "glewlwyd publishes OpenID Connect metadata only",
        Can.FORBID_INTROSPECTION: "glewlwyd lets every confidential client introspect",
        Can.TAKE_ODD_SECRETS: "glewlwyd does not decode what RFC 6749, 2.3.1 encodes",
        Can.TAKE_CLIENT_ASSERTIONS: "glewlwyd takes client assertions at its token endpoint only",
        Can.TAKE_EDDSA_ASSERTIONS: "glewlwyd takes client assertions at its token endpoint only",
        Can.ADDRESS_SIGNED_ANSWERS: "glewlwyd follows a draft: aud is the token's, and RFC 9701 wants the caller's",
    },
    "demo": {
        Can.BIND_TOKENS_TO_KEYS: "the development provider issues bearer tokens only",
        Can.FORBID_INTROSPECTION: "the development provider lets every confidential client introspect",
        Can.TAKE_EDDSA_ASSERTIONS: "the development provider takes assertions by HS256, RS256 and ES256",
        Can.SIGN_ANSWERS: "the development provider answers in plain JSON only",
        Can.ADDRESS_SIGNED_ANSWERS: "the development provider answers in plain JSON only",
        Can.KEEP_TOKENS_OF_DELETED_CLIENTS: "the development provider ends a client's tokens with the client",
    },
}
"""By the name of the fixture that starts the server."""


def over(*needed: Can) -> pytest.MarkDecorator:
    """Run a test with each provider that can do what is needed, as its argument `provider`."""
    return pytest.mark.parametrize("provider", [_with(server, needed) for server in CANNOT], indirect=True)


def _with(server: str, needed: tuple[Can, ...]) -> ParameterSet:
    """A skip is told at once and not while the test runs: what is skipped must count as no proof."""
    reasons = [CANNOT[server][each] for each in needed if each in CANNOT[server]]
    absent = None if must_be_here() or server not in MISSING else MISSING[server]()
    reason = absent or next(iter(reasons), None)
    return pytest.param(server, marks=[pytest.mark.skip(reason=reason)] if reason else [])

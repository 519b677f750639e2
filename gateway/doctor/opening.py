"""What opens registration to us: whether our own client gets its token, and what a refusal asks us to write."""

from collections.abc import Iterator

from gateway.doctor.asking import Asking, Heard, told
from gateway.doctor.findings import Finding, failure, ok, warning
from gateway.doctor.own_token import ask_for_a_token
from gateway.doctor.shown import foreign, listed, plain_url
from gateway.policy import Unavailable
from gateway.providers import ClientAuthentication, ClientCredentials
from gateway.providers.authentication import Authenticator
from gateway.providers.registration import Registration

AUTHORIZATION = "authorization"
REGISTRATION = "registration"
SECRETS = frozenset({"client_secret_basic", "client_secret_post", "client_secret_jwt"})
ASKING_FOR = {
    "invalid_scope": "Allow our client {client} the scopes of registration.scopes, or correct them.",
    "unauthorized_client": "Allow our client {client} the grant client_credentials at the provider.",
    "unsupported_grant_type": "The provider has no client_credentials: write registration.initial_access_token, or "
    "registration.authorization, in place of registration.client.",
}
"""What to do about the errors of a token endpoint (RFC 6749, 5.2)."""


async def examine_own_client(url: str, registration: Registration, ask: Asking) -> tuple[str, Finding]:
    """The token that opens registration, empty where there is none, and what there is to say of it."""
    client = registration.client
    assert client is not None  # noqa: S101 - whoever asks has looked
    try:
        authenticator = Authenticator(client)
        heard = await ask_for_a_token(url, " ".join(registration.scopes), authenticator, ask)
    except ValueError as fault:
        return "", failure(AUTHORIZATION, f"{fault}.", "Correct the options under registration.client.")
    except Unavailable as failed:
        advice = "Look at the provider's log, or correct endpoints.token."
        return "", failure(AUTHORIZATION, f"{plain_url(url)}: {told(failed)}", advice)
    token = (heard.document or {}).get("access_token")
    if heard.status != 200 or not isinstance(token, str):
        return "", _no_token(heard, url, client)
    return token, _granted(heard, registration, client)


def _no_token(heard: Heard, url: str, client: ClientCredentials) -> Finding:
    seen = f"{plain_url(url)} answered {heard.outcome} to our client {foreign(client.client_id)}."
    if heard.error in ASKING_FOR:
        return failure(AUTHORIZATION, seen, ASKING_FOR[heard.error].format(client=foreign(client.client_id)))
    if heard.status == 401 or heard.error == "invalid_client":
        return failure(AUTHORIZATION, seen, f"Correct {', '.join(proofs(client, 'registration.client'))}.")
    return failure(AUTHORIZATION, seen, "Look at the provider's log, or correct endpoints.token.")


def proofs(client: ClientCredentials, section: str) -> Iterator[str]:
    """The options that a client proves itself with."""
    names = ["client_secret"] if client.authentication.value in SECRETS else []
    if client.authentication is ClientAuthentication.PRIVATE_KEY_JWT:
        names = ["private_key", "key_id", "algorithm"]
    yield from (f"{section}.{name}" for name in ("client_id", *names, "authentication"))


def _granted(heard: Heard, registration: Registration, client: ClientCredentials) -> Finding:
    scope = (heard.document or {}).get("scope")
    # RFC 6749, 5.1: scope is "OPTIONAL, if identical to the scope requested by the client".
    granted = scope.split() if isinstance(scope, str) else registration.scopes
    missing = [each for each in registration.scopes if each not in granted]
    seen = f"Our client {foreign(client.client_id)} gets a token for registration, with scopes: {listed(granted)}"
    if missing:
        return warning(
            AUTHORIZATION,
            f"{seen}; not {listed(missing)}.",
            ASKING_FOR["invalid_scope"].format(client=foreign(client.client_id)),
        )
    return ok(AUTHORIZATION, f"{seen}.")


def judge_refusal(heard: Heard, url: str, registration: Registration) -> Finding:
    """What an answer to a registration means that is neither a client nor a word about its metadata."""
    seen = f"{plain_url(url)} answered {heard.outcome}"
    if heard.status in (404, 405, 501):
        advice = "Write endpoints.registration: its URL; or leave registration out, if there is none."
        return failure(REGISTRATION, f"{seen}: clients are not registered there.", advice)
    if 300 <= heard.status < 400:
        location = plain_url(heard.reply.headers.get("Location", "")) or "its URL"
        advice = f"Redirects are not followed; write endpoints.registration: {location}"
        return failure(REGISTRATION, f"{seen}.", advice)
    if heard.status >= 500 or heard.status in (408, 429):
        return failure(REGISTRATION, f"{seen}.", "The provider fails; look at its log, and try again.")
    if heard.status in (401, 403) or 400 <= heard.status < 500:
        return failure(REGISTRATION, f"{seen}{_to_what(registration)}.", _write_instead(heard, registration))
    return failure(REGISTRATION, f"{seen}, and no client.", "Write endpoints.registration: its URL.")


def _to_what(registration: Registration) -> str:
    if registration.authorization is not None:
        return " to the header of registration.authorization"
    if registration.initial_access_token is not None:
        return " to registration.initial_access_token"
    if registration.client is not None:
        return " to the access token of registration.client"
    return ": it is not open to everybody, and nothing is configured to open it"


def _write_instead(heard: Heard, registration: Registration) -> str:
    if heard.status == 403:
        return f"It is known who asks: give that one the permission to register clients. {_other(registration)}"
    if registration.client is not None:
        return (
            "Write the scope that registration asks for under registration.scopes (OpenAM: "
            f"dynamic_client_registration), and allow it to our client. {_other(registration)}"
        )
    if registration.initial_access_token is not None or registration.authorization is not None:
        return f"It may have expired, or be used up: get a new one. {_other(registration)}"
    return _other(registration)


def _other(registration: Registration) -> str:
    """The options that were not written, in the order in which providers ask for them."""
    if registration.group_url is not None:
        return 'Okta takes an API token: write registration.authorization: "SSWS ${OKTA_API_TOKEN}"'
    ways = {
        "registration.initial_access_token, if it gave you a token": registration.initial_access_token,
        "registration.authorization, if it is a whole header": registration.authorization,
        "registration.client, if a client of ours may register others": registration.client,
    }
    return f"Write {'; or '.join(way for way, written in ways.items() if written is None)}."

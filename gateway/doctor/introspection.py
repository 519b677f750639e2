"""The introspection endpoint: whether it takes our client, what it says of a token that nobody issued."""

import secrets
from urllib.parse import urlencode

from gateway.doctor.asking import Asking, Heard, told
from gateway.doctor.findings import Finding, failure, ok, warning
from gateway.doctor.jwks import KeyFacts
from gateway.doctor.shown import foreign, listed, plain_url
from gateway.doctor.signed import SIGNED, UNSIGNED, NotBelieved, claims_of_signed
from gateway.policy import Headers, Unavailable
from gateway.providers import ClientAuthentication, ClientCredentials, Provider
from gateway.providers.authentication import Authenticator
from gateway.providers.metadata import Document
from gateway.settings.credentials import NEEDS

CREDENTIALS = "credentials"
FORM: Headers = (("Content-Type", "application/x-www-form-urlencoded"),)
SIGNED_ANSWERS = "signed answers"
ELSEWHERE = "Write endpoints.introspection: the URL of the introspection endpoint."
REFUSED = frozenset({401, 403})
REFUSALS = frozenset({"invalid_client", "unauthorized_client", "access_denied"})
PROOFS = {
    ClientAuthentication.CLIENT_SECRET_BASIC: "introspection.client_secret",
    ClientAuthentication.CLIENT_SECRET_POST: "introspection.client_secret",
    ClientAuthentication.CLIENT_SECRET_JWT: "introspection.client_secret",
    ClientAuthentication.PRIVATE_KEY_JWT: "introspection.private_key, key_id and algorithm",
    ClientAuthentication.TLS_CLIENT_AUTH: "transport.certificate_file and key_file",
}
"""Where it is written what proves our client."""


class Endpoint:
    """One provider's introspection endpoint, asked as the gateway asks it."""

    def __init__(self, url: str, provider: Provider, authenticator: Authenticator, ask: Asking) -> None:
        self.url = url
        self._provider = provider
        self._authenticator = authenticator
        self._ask = ask
        self.seconds: list[float] = []
        """How long each answer took."""

    async def introspect(self, token: str) -> Heard:
        """What it says of the token. Raises `Unavailable` when it says nothing."""
        proof = self._authenticator.prove(audience=self.url, now=self._ask.now)
        accept = SIGNED if self._provider.signed_introspection else "application/json"
        fields = (("token", token), ("token_type_hint", "access_token"), *proof.fields)
        headers = (*FORM, ("Accept", accept), *proof.headers)
        heard = await self._ask("POST", self.url, headers, urlencode(fields).encode())
        self.seconds.append(heard.seconds)
        return heard


async def ask_about_nothing(
    endpoint: Endpoint, provider: Provider, published: Document, keys: KeyFacts | None
) -> tuple[bool, list[Finding]]:
    """Introspect a token that was just invented: whether our client is accepted, and what there is to say."""
    try:
        heard = await endpoint.introspect(secrets.token_urlsafe(32))
    except Unavailable as failed:
        seen = f"{plain_url(endpoint.url)}: {told(failed)}"
        advice = "Look at the provider's log, or correct endpoints.introspection."
        return False, [failure(CREDENTIALS, seen, advice)]
    finding = judge_answer(heard, endpoint.url, provider, published, keys)
    return not finding.advice, [finding]


def judge_answer(heard: Heard, url: str, provider: Provider, published: Document, keys: KeyFacts | None) -> Finding:
    """What the answer about an invented token means."""
    assert provider.introspection is not None  # noqa: S101 - somebody asked
    if heard.status == 200:
        return _about_an_invented_token(heard, url, provider, keys)
    where = f"{plain_url(url)} answered {heard.outcome}"
    if heard.status == 400 and provider.signed_introspection and not heard.error:
        return failure(SIGNED_ANSWERS, f"{where} when asked for a signed answer.", UNSIGNED)
    if heard.status in REFUSED or heard.error in REFUSALS or heard.status == 400:
        return _refused(heard, url, provider.introspection, published)
    if 300 <= heard.status < 400:
        location = plain_url(heard.reply.headers.get("Location", "")) or "its URL"
        advice = f"Redirects are not followed; write endpoints.introspection: {location}"
        return failure(CREDENTIALS, f"{where}.", advice)
    if heard.status >= 500 or heard.status in {408, 429}:
        return failure(CREDENTIALS, f"{where}.", "The provider fails; look at its log, and try again.")
    return failure(CREDENTIALS, f"{where}: it is no introspection endpoint.", ELSEWHERE)


def claims_of(heard: Heard, provider: Provider, keys: KeyFacts | None) -> dict[str, object]:
    """What an answer of 200 says, empty where it is no JSON object. Raises `NotBelieved` where it should be signed."""
    if provider.signed_introspection:
        return claims_of_signed(heard, provider, keys)
    document = heard.document if heard.reply.media_type == "application/json" else None
    return document or {}


def _about_an_invented_token(heard: Heard, url: str, provider: Provider, keys: KeyFacts | None) -> Finding:
    try:
        active = claims_of(heard, provider, keys).get("active")
    except NotBelieved as fault:
        return failure(SIGNED_ANSWERS, str(fault), fault.advice)
    if active is True:
        seen = "A token that was invented this moment is active: everything would be let in."
        return failure("invented token", seen, "Do not go live; correct endpoints.introspection, or the provider.")
    if active is False:
        return ok(CREDENTIALS, "Our client is accepted, and a token that was invented this moment is inactive.")
    kind = foreign(heard.reply.media_type) or "no media type"
    seen = f"{plain_url(url)} answered 200 ({kind}), and not whether the token is active."
    return failure(CREDENTIALS, seen, ELSEWHERE)


def _refused(heard: Heard, url: str, credentials: ClientCredentials, published: Document) -> Finding:
    """The credentials are wrong, or the way in which they are sent: what the provider accepts is in its metadata."""
    method, accepted = credentials.authentication, methods_accepted(published)
    seen = f"{plain_url(url)} answered {heard.outcome} to our client."
    if method is ClientAuthentication.AUTHORIZATION_HEADER:
        advice = "Write a header that it accepts into introspection.authorization; tokens in there expire."
        return failure(CREDENTIALS, seen, advice)
    if accepted:
        seen = f"{seen} We sent {method}; it accepts {', '.join(accepted)}."
    if accepted and method.value not in accepted:
        better = _complete(credentials, accepted) or ClientAuthentication.AUTHORIZATION_HEADER
        return failure(CREDENTIALS, seen, f"Write introspection.authentication: {better}")
    return failure(CREDENTIALS, seen, _correct(heard, credentials, accepted))


def methods_accepted(published: Document) -> list[str]:
    """The ways to authenticate that the metadata lists for introspection, or else for tokens (RFC 8414, 2)."""
    for member in ("introspection_endpoint_auth_methods_supported", "token_endpoint_auth_methods_supported"):
        methods = published.get(member)
        if isinstance(methods, list) and methods:
            return [foreign(method) for method in methods if isinstance(method, str) and method != "none"]
    return []


def _complete(credentials: ClientCredentials, accepted: list[str]) -> ClientAuthentication | None:
    """Another way that the provider accepts, and for which everything is configured."""
    others = [method for method in NEEDS if method.value in accepted and method is not credentials.authentication]
    # A client_id alone is configured for tls_client_auth, too: without its certificate that says nothing.
    ready = (method for method in others if all(getattr(credentials, name) for name in NEEDS[method]))
    return next((method for method in ready if method is not ClientAuthentication.TLS_CLIENT_AUTH), None)


def _correct(heard: Heard, credentials: ClientCredentials, accepted: list[str]) -> str:
    advice = (
        f"Correct introspection.client_id ({foreign(credentials.client_id)}) or {PROOFS[credentials.authentication]}"
    )
    if heard.status == 403:
        advice = f"{advice}, or give the client the permission to introspect"
    other = _complete(credentials, accepted)
    if other is None:
        return f"{advice}."
    return f"{advice}; or, if the client is registered for another way, write introspection.authentication: {other}"


def permission_unknown(why: str, client_id: str, scopes: tuple[str, ...]) -> Finding:
    """No token of our own could be had, so that nobody knows whether active tokens would be seen."""
    with_scopes = f", with a scope of {listed(scopes)}," if scopes else ""
    return warning(
        "permission",
        f"Whether our client may introspect is not known: {why}",
        f"Allow client_credentials{with_scopes} to the client {foreign(client_id)} while you try, or use `tokenward "
        "explain` with a caller's token.",
    )

"""What an authorization endpoint says of our redirect URI, and a token endpoint of our client. No I/O."""

from urllib.parse import parse_qs, urlsplit

from gateway.doctor.asking import Heard
from gateway.doctor.findings import Finding, failure, ok, skipped, warning
from gateway.doctor.opening import proofs
from gateway.doctor.shown import foreign, plain_url
from gateway.providers import ClientCredentials

REDIRECT = "redirect URI"
CREDENTIALS = "credentials"
SECTION = "portal.sign_in"
NOBODYS = "https://doctor.invalid"
"""RFC 2606, 2: no server ever has such a name. A provider that redirects there redirects anywhere."""
NOT_NOW = frozenset({"", "login_required", "interaction_required", "consent_required", "account_selection_required"})
"""OpenID Connect Core, 3.1.2.6: what a provider says that was asked to show nobody a page (`prompt=none`)."""
MEANT = {
    "invalid_scope": f"Correct {SECTION}.scopes, or allow them to our client",
    "unauthorized_client": "Allow authorization_code to our client at the provider",
    "unsupported_response_type": "Allow the response type `code` to our client at the provider",
}


def judge_redirect(heard: Heard, control: Heard, redirect_uri: str, client: ClientCredentials) -> Finding:
    """`heard` is the answer to a request with our redirect URI, `control` to one with nobody's."""
    ours, shown = foreign(client.client_id), foreign(redirect_uri)
    if _location(control).startswith(NOBODYS):
        seen = "The provider redirects to a URI that nobody registered: whoever makes up a link is sent the codes."
        return failure(REDIRECT, seen, f"At the provider, register exact redirect URIs for our client {ours}.")
    if _location(heard).startswith(redirect_uri):
        return _sent_back(heard, shown)
    if heard.status >= 500 or heard.status in (408, 429):
        return failure(REDIRECT, f"The provider answered {heard.status}.", "Look at its log, and try again.")
    if heard.status >= 400:
        seen = f"The provider answered {heard.outcome} to a request with {shown}."
        advice = (
            f"At the provider, register that redirect URI for our client {ours}, letter by letter; or correct "
            f"portal.url, or {SECTION}.credentials.client_id."
        )
        return failure(REDIRECT, seen, advice)
    if _page(heard) == _page(control):
        seen = f"The provider shows the same page for {shown} as for a URI that nobody registered."
        return skipped(REDIRECT, seen, "Sign in once, to see: at the portal, or by `tokenward doctor --sign-in`.")
    return ok(REDIRECT, f"{shown} is accepted.")


def _sent_back(heard: Heard, shown: str) -> Finding:
    said = parse_qs(urlsplit(_location(heard)).query).get("error", [""])[0]
    if said in NOT_NOW:
        return ok(REDIRECT, f"{shown} is accepted.")
    advice = MEANT.get(said, "Look at the provider's log: it accepts our client, and not this request")
    return failure(REDIRECT, f"{shown} is accepted, and people are sent back with {foreign(said)}.", f"{advice}.")


def judge_invented_code(heard: Heard, client: ClientCredentials, accepted: list[str]) -> Finding:
    """What a token endpoint said of a code that was invented this moment."""
    ours = foreign(client.client_id)
    if heard.error == "invalid_grant":
        return ok(CREDENTIALS, f"Our client {ours} is accepted, and a code that was invented this moment is not.")
    if heard.status == 200:
        seen = "A code that was invented this moment was taken: anybody could sign in as somebody."
        return failure(CREDENTIALS, seen, "Do not go live; correct endpoints.token, or the provider.")
    seen = f"The token endpoint answered {heard.outcome} to our client {ours}"
    if heard.error == "unauthorized_client":
        return failure(CREDENTIALS, f"{seen}.", f"{MEANT['unauthorized_client']}.")
    if heard.status == 401 or heard.error == "invalid_client":
        ways = f"; it accepts {', '.join(accepted)}" if accepted else ""
        advice = f"Correct {', '.join(proofs(client, f'{SECTION}.credentials'))}."
        return failure(CREDENTIALS, f"{seen}, which proved itself by {client.authentication}{ways}.", advice)
    advice = "Look at the provider's log, or sign in once: `tokenward doctor --sign-in`."
    return warning(CREDENTIALS, f"{seen} and an invented code, which tells nobody whether it is accepted.", advice)


def _location(heard: Heard) -> str:
    return heard.reply.headers.get("Location", "") if 300 <= heard.status < 400 else ""


def _page(heard: Heard) -> tuple[int, str]:
    return heard.status, plain_url(_location(heard))

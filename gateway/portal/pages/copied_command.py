"""The commands that developers copy to try their credentials. Pure."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote_plus

from gateway.clients.client import Credentials, Metadata


@dataclass(frozen=True, slots=True)
class Command:
    """One command for a shell, or why there is none. It may hold a secret: it stays out of the `repr`."""

    about: str
    lines: str = ""

    def __repr__(self) -> str:
        return f"Command(about={self.about!r})"


def command(
    credentials: Credentials, metadata: Metadata, *, token_endpoint: str | None, urls: Sequence[str]
) -> Command:
    """How to get a token and call APIs with it. `urls`: where the APIs are."""
    if "client_credentials" not in metadata.grant_types:
        return Command("This application acts for its users, so its tokens come from a sign-in: start it in your app.")
    if token_endpoint is None or credentials.client_secret is None:
        return Command("How a token is fetched here is told by the documentation of the API.")
    fetch = _token_request(credentials, credentials.client_secret.get_secret_value(), metadata, token_endpoint)
    reach = [f'curl -i -H "Authorization: Bearer $TOKEN" {shlex.quote(url)}' for url in urls if url]
    return Command("Paste this into a shell. It fetches a token and calls the API with it.", "\n".join([fetch, *reach]))


def _token_request(credentials: Credentials, secret: str, metadata: Metadata, endpoint: str) -> str:
    parts = [f"TOKEN=$(curl -sS {shlex.quote(endpoint)}", "-d grant_type=client_credentials"]
    if metadata.scopes:
        parts.append(f"--data-urlencode {shlex.quote('scope=' + ' '.join(metadata.scopes))}")
    if metadata.token_endpoint_auth_method == "client_secret_post":
        parts.append(f"--data-urlencode {shlex.quote('client_id=' + credentials.client_id)}")
        parts.append(f"--data-urlencode {shlex.quote('client_secret=' + secret)}")
    else:
        # RFC 6749, 2.3.1: "The client identifier is encoded using the application/x-www-form-urlencoded encoding
        # algorithm", and so is the secret, before both are joined for HTTP Basic.
        parts.append(f"-u {shlex.quote(quote_plus(credentials.client_id) + ':' + quote_plus(secret))}")
    return " \\\n  ".join(parts) + ' \\\n  | sed -n \'s/.*"access_token" *: *"\\([^"]*\\)".*/\\1/p\')'

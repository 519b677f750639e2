"""What to try: commands for a shell, each with the status that it is answered with."""

from dataclasses import dataclass
from http import HTTPStatus


@dataclass(frozen=True, slots=True)
class Curl:
    """One command."""

    about: str
    """What it shows, in a few words."""
    command: str
    status: int
    """Of the answer to expect."""

    @property
    def status_line(self) -> str:
        """What curl prints first."""
        return f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}"


def demo_curls(*, gateway: str, issuer: str, token: str, client: tuple[str, str]) -> list[Curl]:
    """The commands in the order that makes their statuses true.

    `gateway` and `issuer` are URLs without a slash at the end; `token` has the scope orders.read, for the orders API,
    and was issued to `client`, an id and a secret.
    """
    orders = f"curl -i {gateway}/orders"
    bearer = f'  -H "Authorization: Bearer {token}"'
    user = f"curl -i -u {client[0]}:{client[1]}"
    return [
        Curl("A route without policies is open.", f"curl -i {gateway}/public", 200),
        Curl("Without a token: a challenge, and a problem document.", orders, 401),
        Curl("With a token: the API sees whose it is, not the token.", f"{orders} \\\n{bearer}", 200),
        Curl(
            "The same token cannot write: it has the scope orders.read only.",
            f"curl -i -X DELETE {gateway}/orders/1 \\\n{bearer}",
            403,
        ),
        Curl(
            "Revoke the token.",
            f"{user} {issuer}/revoke \\\n  -d token={token}",
            200,
        ),
        Curl("The same call as before; this route asks the provider each time.", f"{orders} \\\n{bearer}", 401),
        Curl(
            "A token of your own, for whatever you want to try next.",
            f"{user} {issuer}/token \\\n  -d grant_type=client_credentials",
            200,
        ),
    ]

"""Cross checks of the addresses we listen on, and of who may use the admin port."""

import re
from collections.abc import Iterator, Sequence
from itertools import combinations

from gateway.providers.urls import is_loopback
from gateway.settings.credentials import WELL_KNOWN
from gateway.settings.front import AdminSettings
from gateway.settings.grammar import Address
from gateway.settings.mistakes import Path, Wrong
from gateway.settings.portal import PortalSettings
from gateway.settings.providers import secret_of

ANY = ("0.0.0.0", "::")  # noqa: S104 - compared with, not bound to
SHORTEST_TOKEN = 16
"""Characters; whoever reaches the port may try as many as they like."""


def check_listening(listen: Sequence[Address], admin: Address, portal: PortalSettings | None) -> Iterator[Wrong]:
    """Addresses that cannot be had twice."""
    all_of_them: list[tuple[Path, Address]] = [(("listen", index), address) for index, address in enumerate(listen)]
    all_of_them.append((("admin", "listen"), admin))
    if portal is not None:
        all_of_them.append((("portal", "listen"), portal.listen))
    for (taken, first), (path, second) in combinations(all_of_them, 2):
        if first.port == second.port != 0 and (first.host == second.host or {first.host, second.host} & set(ANY)):
            where = f"already taken by {taken[0]}" if path[0] != "listen" else "written twice"
            yield Wrong(path, f"the port {second.port} is {where}; write another one")


def check_admin_token(admin: AdminSettings) -> Iterator[Wrong]:
    """A token that is none, that anybody could guess, or that no header could carry (RFC 6750, 2.1: b64token)."""
    if admin.token is None:
        return
    path, token = ("admin", "token"), secret_of(admin.token)
    if not token.strip():
        yield Wrong(path, "is blank; write a long random text, best as ${NAME} or ${file:path}, or leave it out")
    elif re.sub(r"[^a-z0-9]", "", token.lower()) in WELL_KNOWN:
        yield Wrong(path, "is a placeholder that everybody knows; write a long random text")
    elif not re.fullmatch(r"[A-Za-z0-9._~+/-]+=*", token):
        yield Wrong(path, "cannot be sent in a header; write letters, digits and - . _ ~ + /")
    elif len(token) < SHORTEST_TOKEN:
        yield Wrong(path, f"is too short; write at least {SHORTEST_TOKEN} random characters")


def warn_listening(admin: AdminSettings) -> Iterator[Wrong]:
    """An admin port that others reach, and that asks nobody who they are."""
    if not is_loopback(admin.listen.host) and admin.token is None:
        yield Wrong(
            ("admin", "listen"),
            "whoever reaches this address can read metrics and routes; write 127.0.0.1, set admin.token, or keep "
            "others away by a network policy",
        )

"""Cross checks of the addresses we listen on."""

from collections.abc import Iterator, Sequence
from itertools import combinations

from gateway.providers.urls import is_loopback
from gateway.settings.grammar import Address
from gateway.settings.mistakes import Path, Wrong

ANY = ("0.0.0.0", "::")  # noqa: S104 - compared with, not bound to


def check_listening(listen: Sequence[Address], admin: Address) -> Iterator[Wrong]:
    """Addresses that cannot be had twice."""
    all_of_them: list[tuple[Path, Address]] = [(("listen", index), address) for index, address in enumerate(listen)]
    all_of_them.append((("admin", "listen"), admin))
    for (_, first), (path, second) in combinations(all_of_them, 2):
        if first.port == second.port != 0 and (first.host == second.host or {first.host, second.host} & set(ANY)):
            where = "already taken by listen" if path[0] == "admin" else "written twice"
            yield Wrong(path, f"the port {second.port} is {where}; write another one")


def warn_listening(admin: Address) -> Iterator[Wrong]:
    """An admin port that others reach."""
    if not is_loopback(admin.host):
        yield Wrong(
            ("admin", "listen"),
            "whoever reaches this address can read metrics and reload the configuration; write 127.0.0.1, or keep "
            "others away by a network policy",
        )

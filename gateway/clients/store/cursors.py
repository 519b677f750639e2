"""Where a page ends: the place of its last row, as an opaque text."""

import base64
import binascii
import json

from gateway.clients.mistakes import Invalid
from gateway.clients.store.tables import is_text


def write(place: str | float, id_: str) -> str:
    """The place of a row in the order of a list."""
    return base64.urlsafe_b64encode(json.dumps([place, id_]).encode()).decode().rstrip("=")


def read_name(cursor: str) -> tuple[str, str]:
    """A place in a list that is ordered by name. Raises `Invalid`."""
    match _read(cursor):
        case [str(name), str(id_)] if is_text(name) and is_text(id_):
            return name, id_
    raise _invalid()


def read_time(cursor: str) -> tuple[float, str]:
    """A place in a list that is ordered by time. Raises `Invalid`."""
    match _read(cursor):
        case [float(time), str(id_)] if is_text(id_):
            return time, id_
    raise _invalid()


def _read(cursor: str) -> object:
    try:
        return json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError, RecursionError) as error:
        raise _invalid() from error


def _invalid() -> Invalid:
    return Invalid("There is no such page.", "invalid_page")

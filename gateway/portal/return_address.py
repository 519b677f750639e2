"""Where people go after they signed in: a page of ours, and nothing else. Pure."""

import re

HOME = "/"
LONGEST = 512

# A list of what a path of ours may be, and not of what an attack looks like: no second slash, backslash, dot, percent
# sign, white space or control character, so that no browser can read it as another host.
_OURS = re.compile(r"/(?:[A-Za-z0-9_-]+(?:/[A-Za-z0-9_-]+)*)?(?:\?[A-Za-z0-9_.=&+-]*)?", re.ASCII)


def return_address(asked: str) -> str:
    """The path that was asked for, where it is one of ours; otherwise the first page."""
    return asked if len(asked) <= LONGEST and _OURS.fullmatch(asked) else HOME

"""The scalars of YAML 1.2, core schema: `no`, `off` and `12:30` are texts, as most readers expect."""

import math
import re
from typing import Any, TypeAlias

import yaml

Plain: TypeAlias = "dict[str, Plain] | list[Plain] | str | int | float | bool | None"

MAX_DIGITS = 40

TAG = "tag:yaml.org,2002:"
STR, INT, FLOAT, BOOL, NULL, MERGE = (TAG + name for name in ("str", "int", "float", "bool", "null", "merge"))


RESOLVERS = (
    (NULL, r"(?:~|null|Null|NULL|)\Z", ["~", "n", "N", ""]),
    (BOOL, r"(?:true|True|TRUE|false|False|FALSE)\Z", list("tTfF")),
    (INT, r"(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)\Z", list("-+0123456789")),
    (FLOAT, r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z", list("-+.0123456789")),
    (FLOAT, r"(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\Z", list("-+.")),
    (MERGE, r"<<\Z", ["<"]),
)
"""Tag, expression, first characters: what an unquoted scalar is."""


class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # C where PyYAML was built with it
    """Composes nodes, with the scalar types of YAML 1.2 (core schema) and merge keys."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - filled below, then constant


for _tag, _pattern, _first in RESOLVERS:
    Loader.add_implicit_resolver(_tag, re.compile(_pattern), _first)


def typed(text: str, tag: str) -> Plain:
    """The value of a scalar; raises ValueError where the text is none of its type."""
    match tag:
        case _ if tag in (STR, MERGE) and is_unicode(text):
            return text
        case _ if tag in (STR, MERGE):
            raise ValueError("is not Unicode text: half of a surrogate pair stands alone in it")
        case _ if tag == NULL:
            return None
        case _ if tag == BOOL and text.lower() in ("true", "false"):
            return text.lower() == "true"
        case _ if tag == INT and len(text) <= MAX_DIGITS:
            return _integer(text)
        case _ if tag == FLOAT and math.isfinite(number := _float(text)):
            return number
        case _ if tag in (INT, FLOAT):
            raise ValueError("is no number that can be used; write a finite one")
    raise ValueError("has a tag (!) that means nothing here; leave the tag out")


def is_unicode(text: str) -> bool:
    """Whether it can be encoded: no half of a surrogate pair stands alone in it."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _integer(text: str) -> int:
    bases = {"0o": 8, "0x": 16}
    try:
        return int(text, bases.get(text[:2], 10))
    except ValueError:
        raise ValueError("is no whole number") from None


def _float(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan

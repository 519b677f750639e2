"""The configuration as it is in force: with all defaults, and without a secret."""

import re
from typing import Any

import yaml

from gateway.settings.scalars import RESOLVERS
from gateway.settings.section import Section


class _Dumper(yaml.SafeDumper):
    """Quotes what readers of YAML 1.1 or of 1.2 would take for something else than text."""


for _tag, _pattern, _first in RESOLVERS:
    _Dumper.add_implicit_resolver(_tag, re.compile(_pattern), _first)


def show(settings: Section) -> str:
    """YAML with every option. What is a secret reads `**********`, whatever it says."""
    written = _with_dollars(settings.model_dump(mode="json"))
    return yaml.dump(written, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


def _with_dollars(value: Any) -> Any:
    """The same, where a text could be taken for a variable: read again, it is the same text."""
    match value:
        case str() if "${" in value or "$$" in value:
            return value.replace("$", "$$")
        case dict():
            return {name: _with_dollars(each) for name, each in value.items()}
        case list():
            return [_with_dollars(each) for each in value]
    return value

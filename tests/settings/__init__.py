"""Tests of the configuration, by subject. What several of them write is here."""

from gateway.settings import SettingsError, parse

SECRET = "n0body-knows-this"
OKTA = """\
providers:
  okta:
    preset: okta
    issuer: https://example.okta.com/oauth2/default
    introspection: {client_id: gateway, client_secret: n0body-knows-this}
"""
ROUTE = """\
routes:
  orders: {path: /orders, upstream: http://orders.internal:8000, policies: []}
"""


def lines(text: str, **environment: str) -> list[str]:
    """What the command line prints about this text."""
    try:
        parse(text, environment=environment)
    except SettingsError as error:
        return [str(mistake) for mistake in error.mistakes]
    return []


def line(text: str, **environment: str) -> str:
    """The one line of it, without the file's name."""
    (only,) = lines(text, **environment)
    return only.removeprefix("tokenward.yaml:")


def provider(options: str, name: str = "idp") -> str:
    """A configuration whose provider has these options, written as a flow mapping from line 3 on."""
    return f"providers:\n  {name}:\n    {options}\n{ROUTE}"


def route(options: str) -> str:
    """A configuration whose route `orders` has these options more, in line 3."""
    return f"""\
routes:
  orders:
    {options}
    path: /orders
    upstream: http://orders.internal:8000
    policies: []
"""


def policies(*entries: str) -> str:
    """A configuration whose route `orders` has these policies, from line 7 on."""
    written = "".join(f"      - {entry}\n" for entry in entries)
    return f"""\
routes:
  orders:
    path: /orders
    methods: [GET, POST]
    upstream: http://orders.internal:8000
    policies:
{written}"""

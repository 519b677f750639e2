"""Loads the YAML of a page as the gateway would, with the variables and files that it names."""

import re
from functools import cache
from pathlib import Path

import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from gateway.clients.store.sealing import new_key
from gateway.settings import Settings, parse

VARIABLE = re.compile(r"\$\{([A-Z_]+)\}")
FILES = re.compile(r"\w+_file: ([\w./-]+)")


def load(text: str, folder: Path) -> Settings:
    """The settings that a block describes. Raises SettingsError.

    What a page leaves out because it is about something else is added: routes, or a route around policies.
    """
    for name in FILES.findall(text):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("")
    environment = {name: value_of(name) for name in VARIABLE.findall(text)}
    return parse(whole(text), name=str(folder / "config.yaml"), environment=environment)


def whole(text: str) -> str:
    """A configuration around a part of one; the lines of the part stay as they are."""
    part = yaml.safe_load(text)
    if isinstance(part, list):
        return PROVIDERS + ROUTE + "".join(f"      {line}" for line in text.splitlines(keepends=True))
    if "routes" not in part:
        text += f"\n{ROUTE.rstrip()} []\n"
    return text if "providers" in part else PROVIDERS + text


PROVIDERS = """\
providers:
  okta:
    preset: okta
    issuer: https://example.okta.com/oauth2/default
    introspection: {client_id: gateway, client_secret: a-secret-of-the-tests}
    registration: {}
"""
ROUTE = """\
routes:
  orders:
    path: /orders
    upstream: http://orders.internal:8000
    policies:
"""


def value_of(variable: str) -> str:
    """Something that may stand where a page writes that variable."""
    if variable.endswith("PRIVATE_KEY"):
        return private_key()
    return new_key() if variable.endswith("STORE_KEY") else "neither-short-nor-known-0123456789"


@cache
def private_key() -> str:
    """A key in PEM."""
    return (
        rsa.generate_private_key(public_exponent=65537, key_size=2048)
        .private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        .decode()
    )

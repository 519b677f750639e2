"""A gateway that keeps applications and contracts: its configuration, and somebody who asks its API."""

import json
from pathlib import Path
from typing import Any

from gateway.clients.store.sealing import new_key
from tests.gateways import INTENT, Answer, Config, Operator, configuration, enforcement

API = "/api/v1"
METADATA = {"client_name": "Shop", "scope": "orders.read"}


def managed(issuer: str, upstream: str, folder: Path, **options: Any) -> Config:
    """As `configuration`, where /orders takes contracts of a store in that folder, with two tiers."""
    config = configuration(
        issuer,
        upstream,
        store={"url": f"sqlite:///{folder}/store.db", "encryption_keys": [new_key()], "poll": 0.2},
        tiers={"gold": {"limits": [{"requests": 1000, "seconds": 60}]}, "tin": {}},
        apis={"orders": {"tiers": ["gold", "tin"], "terms": "Be kind."}},
        **options,
    )
    config["providers"]["idp"]["registration"] = {}
    enforcement(config)["contract"] = "required"
    return config


def registering_at(config: Config, url: str) -> Config:
    """The same, where clients are registered at that URL."""
    config["providers"]["idp"]["endpoints"] = {"registration": url}
    return config


class Clerk:
    """Asks the API as an operator does."""

    def __init__(self, operator: Operator, token: str | None = None) -> None:
        self._operator = operator
        self._token = token

    async def __call__(self, method: str, path: str, body: object = None) -> Answer:
        options = {} if body is None else {"data": json.dumps(body)}
        return await self._operator.ask(method, API + path, self._token, headers=INTENT, **options)

    async def says(self, method: str, path: str, body: object = None, status: int = 200) -> Any:
        """The document that is answered with that status."""
        answer = await self(method, path, body)
        assert answer.status == status, answer.text
        return json.loads(answer.text)

    async def registers(self, name: str = "Shop", **parts: Any) -> Any:
        """A new application with a contract for orders."""
        body = {"provider": "idp", "metadata": METADATA | {"client_name": name}, **parts}
        return await self.says("POST", "/clients", {"apis": [{"api": "orders", "tier": "gold"}]} | body, 201)

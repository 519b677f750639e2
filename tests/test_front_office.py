"""What client management does in the background."""

from pathlib import Path

from pydantic import SecretStr

from gateway.clients.store import Usage
from gateway.clients.store.opening import open_store
from gateway.clients.store.options import StoreOptions
from gateway.clock import SystemClock
from gateway.demo.identity_provider import run_identity_provider
from tests.gateways import served, until
from tests.managed import managed

NOBODY = "http://127.0.0.1:9"


async def test_what_has_expired_is_taken_out_of_the_store_without_a_portal_as_well(tmp_path: Path) -> None:
    async with run_identity_provider() as idp:
        config = managed(idp.issuer, NOBODY, tmp_path)
        assert "portal" not in config
        key = SecretStr(config["store"]["encryption_keys"][0])
        options = StoreOptions(url=SecretStr(config["store"]["url"]), encryption_keys=(key,))
        async with open_store(options, SystemClock()) as store:
            old = Usage(hour=1, provider="idp", client_id="c", api="orders", code="allowed", calls=1)
            await store.add_usage([old])

            async def is_gone() -> bool:
                return await store.usage_of("idp", "c", since=0) == ()

            async with served(config):
                await until(is_gone, "old usage is still there")

"""The gateway that runs on this machine, told at once of what a command changed."""

from gateway.clients import ClientKey
from gateway.policy import Unavailable
from gateway.ports import Fetch
from gateway.settings import Settings
from gateway.settings.grammar import Address
from gateway.settings.providers import secret_of

HERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - what stands for every address is reached by loopback


class Neighbour:
    """Whoever listens at `admin.listen`. It is never an error that nobody does: the store is what counts."""

    def __init__(self, settings: Settings, fetch: Fetch) -> None:
        listen = settings.admin.listen
        self.address = Address(HERE.get(listen.host, listen.host), listen.port)
        self.silence = ""
        """Why it was not told of the last change; empty where it was, or nothing changed."""
        self._fetch = fetch
        self._headers = [("X-Requested-With", "tokenward")]
        token = secret_of(settings.admin.token)
        if token:
            self._headers.append(("Authorization", f"Bearer {token}"))

    async def spread(self, _: ClientKey) -> None:
        """Have it read the store; it has when this returns, or `silence` says why not."""
        try:
            reply = await self._fetch("POST", f"http://{self.address}/-/contracts", headers=tuple(self._headers))
        except Unavailable:
            self.silence = f"no gateway listens on {self.address} (admin.listen)"
            return
        self.silence = "" if reply.status == 200 else f"the gateway at {self.address} answered {reply.status}"

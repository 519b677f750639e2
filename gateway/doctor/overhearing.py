"""What a provider answers to others of us who ask it: their errors are made for callers, and ours is for operators."""

from dataclasses import dataclass

from gateway.doctor.asking import Asking, Heard
from gateway.policy import Headers
from gateway.ports import Reply


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request, and its answer."""

    method: str
    url: str
    heard: Heard

    @property
    def succeeded(self) -> bool:
        """Whether the answer was 2xx."""
        return 200 <= self.heard.status < 300

    def is_registering(self, endpoint: str) -> bool:
        """Whether a client was to be registered there."""
        return (self.method, self.url) == ("POST", endpoint)


class Overhearing:
    """A `Fetch` that keeps every exchange."""

    def __init__(self, ask: Asking) -> None:
        self._ask = ask
        self.exchanges: list[Exchange] = []

    async def __call__(self, method: str, url: str, *, headers: Headers = (), body: bytes = b"") -> Reply:
        heard = await self._ask(method, url, headers, body)
        self.exchanges.append(Exchange(method, url, heard))
        return heard.reply

    def registering(self, endpoint: str) -> Exchange | None:
        """The last request to register a client there."""
        return next((each for each in reversed(self.exchanges) if each.is_registering(endpoint)), None)

    def left_over(self, endpoint: str) -> str:
        """The client that was registered there last, if it was not deleted since; empty where there is none."""
        found = ""
        for exchange in self.exchanges:
            client_id = (exchange.heard.document or {}).get("client_id")
            if exchange.is_registering(endpoint) and exchange.succeeded and isinstance(client_id, str):
                found = client_id
            if exchange.method == "DELETE" and (exchange.succeeded or exchange.heard.status == 404):
                found = ""
        return found

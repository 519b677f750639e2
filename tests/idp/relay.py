"""A relay between the gateway and a real provider: what was asked is kept, and an `Accept` header may be changed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

import aiohttp
from aiohttp import web
from multidict import CIMultiDict

from gateway.demo.listening import address, bind, serving

HOP_BY_HOP = ("Host", "Content-Length", "Transfer-Encoding", "Connection")


@dataclass(frozen=True, slots=True)
class Question:
    """A request as it came from the gateway."""

    method: str
    headers: CIMultiDict[str] = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def form(self) -> list[tuple[str, str]]:
        return parse_qsl(self.body.decode("ascii"), keep_blank_values=True, strict_parsing=True)


class Relay:
    """Passes everything on to one URL."""

    def __init__(self, session: aiohttp.ClientSession, target: str, url: str, accept: str | None) -> None:
        self._session = session
        self._target = target
        self._accept = accept
        self.url = url
        self.questions: list[Question] = []

    async def answer(self, asked: web.Request) -> web.Response:
        question = Question(asked.method, CIMultiDict(asked.headers), await asked.read())
        self.questions.append(question)
        headers = CIMultiDict(question.headers)
        for name in HOP_BY_HOP:
            headers.popall(name, None)
        if self._accept is not None:
            headers["Accept"] = self._accept
        async with self._session.request(question.method, self._target, headers=headers, data=question.body) as reply:
            said = {name: value for name, value in reply.headers.items() if name == "Content-Type"}
            return web.Response(status=reply.status, headers=said, body=await reply.read())


@asynccontextmanager
async def relaying(target: str, *, accept: str | None = None) -> AsyncIterator[Relay]:
    """A relay to the URL `target` until the end of the block; with `accept` the provider is asked for that type."""
    listener = bind("127.0.0.1", 0)
    application = web.Application()
    async with aiohttp.ClientSession() as session:
        relay = Relay(session, target, f"http://{address(listener)}/introspect", accept)
        application.add_routes([web.route("*", "/introspect", relay.answer)])
        async with serving(application, listener):
            yield relay

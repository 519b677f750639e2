"""The API behind the gateway: orders in memory. It knows nothing of tokens; whoever reaches it may do everything."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from socket import socket
from typing import Any

from aiohttp import WSMsgType, web

from gateway.demo.listening import address, bind, serving

Order = dict[str, Any]

HIDDEN = "(not shown)"
SILENCE = 15.0
"""Seconds after which a stream without events says that it is still there."""


class Upstream:
    """The orders, and those who listen to what happens to them."""

    def __init__(self) -> None:
        self.orders: dict[str, Order] = {
            "1": {"id": "1", "item": "teapot", "quantity": 1},
            "2": {"id": "2", "item": "cups", "quantity": 6},
        }
        self._listeners: set[asyncio.Queue[bytes | None]] = set()
        self._sockets: set[web.WebSocketResponse] = set()

    def application(self) -> web.Application:
        """The web application."""
        application = web.Application()
        application.add_routes(
            [
                web.get("/public", self.greet),
                web.get("/orders", self.list_orders),
                web.get("/orders/events", self.events, allow_head=False),
                web.get("/orders/socket", self.socket, allow_head=False),
                web.get("/orders/{id}", self.show_order),
                web.post("/orders/{id}", self.put_order),
                web.delete("/orders/{id}", self.delete_order),
                web.route("*", "/echo", self.echo),
                web.route("*", "/echo/{rest:.*}", self.echo),
            ]
        )
        application.on_shutdown.append(self._dismiss)
        return application

    async def greet(self, request: web.Request) -> web.Response:
        return _json({"hello": "Everybody may read this."})

    async def list_orders(self, request: web.Request) -> web.Response:
        return _json({"asked_by": _identity(request.headers), "orders": list(self.orders.values())})

    async def show_order(self, request: web.Request) -> web.Response:
        return _json(self._found(request))

    async def put_order(self, request: web.Request) -> web.Response:
        try:
            wanted = json.loads(await request.read() or b"{}")
        except (ValueError, RecursionError):
            wanted = None
        if not isinstance(wanted, dict):
            return _json({"error": "An order is a JSON object."}, status=400)
        number = request.match_info["id"]
        status = 200 if number in self.orders else 201
        self.orders[number] = {**wanted, "id": number}
        self._tell("stored", self.orders[number])
        return _json(self.orders[number], status=status)

    async def delete_order(self, request: web.Request) -> web.Response:
        order = self._found(request)
        del self.orders[request.match_info["id"]]
        self._tell("deleted", order)
        return web.Response(status=204)

    async def echo(self, request: web.Request) -> web.Response:
        """Method, path and headers, as they arrived here."""
        return _json({"method": request.method, "path": request.raw_path, "headers": _shown(request.headers)})

    async def events(self, request: web.Request) -> web.StreamResponse:
        """Every order that there is, then whatever happens, as server-sent events; it ends when somebody leaves."""
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        await answer.prepare(request)
        heard: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._listeners.add(heard)
        try:
            for order in list(self.orders.values()):
                await answer.write(_event("stored", order))
            while (event := await _next(heard)) is not None:
                await answer.write(event)
        finally:
            self._listeners.discard(heard)
        return answer

    async def socket(self, request: web.Request) -> web.WebSocketResponse:
        """A WebSocket that says what it is told."""
        conversation = web.WebSocketResponse()
        await conversation.prepare(request)
        self._sockets.add(conversation)
        try:
            async for message in conversation:
                if message.type is WSMsgType.TEXT:
                    await conversation.send_str(message.data)
                elif message.type is WSMsgType.BINARY:
                    await conversation.send_bytes(message.data)
        finally:
            self._sockets.discard(conversation)
        return conversation

    def _found(self, request: web.Request) -> Order:
        order = self.orders.get(request.match_info["id"])
        if order is None:
            body = json.dumps({"error": "There is no such order."})
            raise web.HTTPNotFound(text=body, content_type="application/json")
        return order

    def _tell(self, name: str, order: Order) -> None:
        for listener in self._listeners:
            listener.put_nowait(_event(name, order))

    async def _dismiss(self, application: web.Application) -> None:
        for listener in self._listeners:
            listener.put_nowait(None)
        for conversation in tuple(self._sockets):
            await conversation.close(code=1001, message=b"The demo ends.")


@asynccontextmanager
async def run_upstream(host: str = "127.0.0.1", port: int = 0, *, listener: socket | None = None) -> AsyncIterator[str]:
    """The orders API until the end of the block, and its URL; port 0 takes a free one.

    A `listener` that is bound already replaces host and port. Raises OSError when the port is taken.
    """
    listener = listener or bind(host, port)
    async with serving(Upstream().application(), listener):
        yield f"http://{address(listener)}"


def _json(body: object, status: int = 200) -> web.Response:
    return web.Response(status=status, text=json.dumps(body, indent=2) + "\n", content_type="application/json")


def _shown(headers: Mapping[str, str]) -> dict[str, str]:
    # A credential that the gateway let through must not come back in an answer: caches and logs would keep it.
    return {
        name: HIDDEN if name.lower() == "authorization" else value
        for name, value in sorted(headers.items(), key=lambda header: header[0].lower())
    }


def _identity(headers: Mapping[str, str]) -> dict[str, str]:
    """What the gateway says about who is asking."""
    return {name: value for name, value in _shown(headers).items() if name.lower().startswith("x-token-")}


def _event(name: str, order: Order) -> bytes:
    return f"event: {name}\ndata: {json.dumps(order)}\n\n".encode()


async def _next(heard: asyncio.Queue[bytes | None]) -> bytes | None:
    try:
        return await asyncio.wait_for(heard.get(), SILENCE)
    except TimeoutError:
        return b": still here\n\n"

"""What each request must come to. An oracle has nothing of the gateway's but its published times."""

import random
import secrets
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.soak.provider import Provider
from gateway.clock import SystemClock

BELIEVED = 3.0
"""Seconds that the gateway of a soak believes what a provider said."""
TOLERANCE = 1.5
"""Seconds by which clocks, questions under way and waiting may shift a verdict."""
BAD_SHARE = 0.2
LIFETIMES = (15.0, 60.0, 600.0)
POPULATION = 300
GOOD = b"X-Question: issued"
"""The line of a request with a token that was good once. Whatever else arrives at the upstream was let in wrongly."""


@dataclass(slots=True)
class Token:
    """One that is good until it expires or is revoked."""

    text: str
    path: str
    expires: float
    revoked: float = float("inf")
    is_jwt: bool = False
    forgiven: bool = False
    """Whether nobody can say any more what is right: its key was withdrawn."""

    def expected(self, began: float, ended: float) -> set[int]:
        """The statuses that a request between these times may get, in seconds since the epoch."""
        # A provider's word is believed for a while, a key's until the token expires.
        if self.forgiven:
            return {200, 401}
        by_keys = self.path == "/signed"
        good_until = self.expires if by_keys else min(self.expires, self.revoked)
        let_in_until = self.expires if by_keys else min(self.expires, self.revoked + BELIEVED)
        if ended < good_until - TOLERANCE:
            return {200}
        return {401} if began > let_in_until + TOLERANCE else {200, 401}


@dataclass(frozen=True, slots=True)
class Question:
    """A request, and what it may come to."""

    octets: bytes
    expected: Callable[[float, float], set[int]]
    kind: str


class Oracle:
    """Makes requests, and knows the truth about their tokens."""

    def __init__(self, provider: Provider, seed: int) -> None:
        self.provider = provider
        self.clock = SystemClock()
        self.tokens: list[Token] = []
        self._without: deque[str] = deque()
        self.is_outage = False
        """Whether the provider may not be able to say what it knows."""
        self._random = random.Random(seed)  # noqa: S311 - for a run that can be had again
        for _ in range(POPULATION):
            self.tokens.append(self._issue())

    def renew(self) -> None:
        """Let the population live: one is revoked, and some of those that have ended for long are replaced."""
        now = self.clock.time()
        token = self._random.choice(self.tokens)
        if token.revoked > now:
            token.revoked = now
            self.provider.revoke(token.text)
        for index, token in enumerate(self.tokens):
            if min(token.expires, token.revoked) < now - 10:
                self.provider.revoke(token.text)
                self.tokens[index] = self._issue()

    def ask(self) -> Question:
        """The next one: one in five is bad on purpose."""
        if self._random.random() < BAD_SHARE:
            return self._random.choice(self._bad)(self)
        token = self._random.choice(self.tokens)
        body = b"x" * 10_000 if self._random.random() < 0.1 else b""
        return Question(
            _request(token.path, f"Bearer {token.text}", body=body, kind="issued"), self._truth(token), "issued"
        )

    def _truth(self, token: Token) -> Callable[[float, float], set[int]]:
        def expected(began: float, ended: float) -> set[int]:
            right = token.expected(began, ended)
            # Keys speak for a provider that cannot, and do not know what it has revoked.
            in_outage = self.is_outage and token.is_jwt and began < token.expires + TOLERANCE
            return right | {200} if in_outage else right

        return expected

    def withdraw(self) -> None:
        """The keys that have signed until now are no longer published."""
        for index, token in enumerate(self.tokens):
            if token.is_jwt:
                token.forgiven = True
                self.provider.revoke(token.text)
                self.tokens[index] = self._issue()

    def _issue(self) -> Token:
        path = self._random.choice(["/orders", "/orders", "/signed"])
        alg = self._random.choice(["RS256", "ES256"] if path == "/signed" else ["", "", "RS256", "ES256"])
        text, expires = self.provider.issue("orders.read", self._random.choice(LIFETIMES), alg=alg)
        return Token(text, path, expires, is_jwt=bool(alg))

    def _unknown(self) -> Question:
        return _always(_request("/orders", f"Bearer {secrets.token_urlsafe(24)}"), 401, "unknown")

    def _forged(self) -> Question:
        token = self._random.choice([token for token in self.tokens if token.path == "/signed"])
        head, _, signature = token.text.rpartition(".")
        forged = f"{head}.{secrets.token_urlsafe(len(signature))[: len(signature)]}"
        return _always(_request("/signed", f"Bearer {forged}"), 401, "forged")

    def _malformed(self) -> Question:
        return _always(_request("/signed", "Bearer a.b.c"), 401, "malformed")

    def _absent(self) -> Question:
        return _always(_request("/orders", ""), 401, "absent")

    def _twice(self) -> Question:
        token = self._random.choice(self.tokens).text
        return _always(_request("/orders", f"Bearer {token}", f"Bearer {token}"), 400, "twice")

    def _without_scope(self) -> Question:
        token, _ = self.provider.issue("nothing", 60)
        self._without.append(token)
        if len(self._without) > POPULATION:
            self.provider.revoke(self._without.popleft())
        return _always(_request("/orders", f"Bearer {token}"), 403, "without scope")

    _bad = (_unknown, _forged, _malformed, _absent, _twice, _without_scope)


def _always(octets: bytes, status: int, kind: str) -> Question:
    return Question(octets, lambda _, __: {status}, kind)


def _request(path: str, *credentials: str, body: bytes = b"", kind: str = "bad") -> bytes:
    lines = [f"{'POST' if body else 'GET'} {path} HTTP/1.1", "Host: soak.example", f"X-Question: {kind}"]
    lines += [f"Authorization: {credential}" for credential in credentials if credential]
    lines += [f"Content-Length: {len(body)}"] if body else []
    return "\r\n".join([*lines, "", ""]).encode() + body

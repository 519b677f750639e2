"""The answers of the vocabulary: N401, I401, S403, R400, B400, D503, and a request that passes."""

import re
from dataclasses import dataclass

from tests.servers import Reply

# RFC 9110, 11.2 and 11.6.1: one challenge, its parameters quoted and apart by commas.
PARAMETER = re.compile(r'([A-Za-z_]+)="((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a caller must be answered."""

    name: str
    status: int
    error: str | None = None
    """The OAuth error code, in the challenge and in the document."""
    challenges: bool = False
    closes: bool = False

    def __str__(self) -> str:
        return self.name

    def assert_is(self, reply: Reply) -> None:
        """Fail unless the reply is this outcome in every respect."""
        assert reply.status == self.status, f"{reply.head!r} {reply.body!r}"
        assert reply.complete
        assert len(challenges_of(reply)) == (1 if self.challenges else 0)
        if self.challenges:
            assert challenge(reply).get("error") == self.error
        if self.closes:
            assert reply.closes
        if self.status == 503:
            assert int(reply.header("retry-after")[0]) >= 1
        if self.status >= 400:
            assert reply.header("content-type") == ["application/problem+json"]


N401 = Outcome("N401", 401, challenges=True)
I401 = Outcome("I401", 401, "invalid_token", challenges=True)
S403 = Outcome("S403", 403, "insufficient_scope", challenges=True)
F403 = Outcome("F403", 403)
R400 = Outcome("R400", 400, "invalid_request", challenges=True)
B400 = Outcome("B400", 400, closes=True)
B431 = Outcome("B431", 431, closes=True)
M405 = Outcome("M405", 405)
D503 = Outcome("D503", 503)
PASSES = Outcome("200", 200)


def challenges_of(reply: Reply) -> list[str]:
    """The values of `WWW-Authenticate`."""
    return reply.header("www-authenticate")


def challenge(reply: Reply) -> dict[str, str]:
    """The parameters of the one Bearer challenge; fails when it is not well-formed."""
    (value,) = challenges_of(reply)
    scheme, _, rest = value.partition(" ")
    assert scheme == "Bearer"
    assert PARAMETER.sub("", rest).replace(", ", "") == "", f"not a well-formed challenge: {value!r}"
    parameters = PARAMETER.findall(rest)
    assert len({name for name, _ in parameters}) == len(parameters)
    assert "realm" in dict(parameters)
    return dict(parameters)

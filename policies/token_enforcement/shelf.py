"""The facts of one provider, learned in one way. What is in use is at hand; the rest is put away as octets."""

from collections import OrderedDict
from collections.abc import Iterator
from itertools import chain

from cachetools import LRUCache

from policies.token_enforcement.archive import Archive
from policies.token_enforcement.facts import RESTEP, Active, Fact, NotIntrospectable, Rejected
from policies.token_enforcement.records import Records, mark_of

AT_HAND = 16_384
"""Tokens that are ready to be judged: each takes some 2 KB and five objects for the garbage collector to visit."""
STEP = 1_000
"""Tokens at hand that are dropped in one go."""


class Shelf:
    """Verified and rejected credentials do not compete for room.

    A credential is kept as a keyed digest: neither it nor a prefix of it can be read from the memory or told from
    the time that a look-up takes.

    Of the verified, those that are used are kept as objects, in an `OrderedDict`: a look-up in a cache of cachetools
    takes ten times as long, with each request. The others, and those that were never used a second time, are records.
    """

    def __init__(self, *, verified: int, rejected: int, at_hand: int = AT_HAND) -> None:
        self._room = verified
        self._most_at_hand = at_hand
        self._at_hand: OrderedDict[bytes, Active | NotIntrospectable] = OrderedDict()
        self._archive = Archive(verified)
        self._records = Records()
        self._rejected: LRUCache[bytes, Rejected] = LRUCache(rejected)
        self._doomed: list[bytes] = []
        """The marks of records that are being dropped, and are not to be believed any more."""

    def __len__(self) -> int:
        return len(self._at_hand) + len(self._archive) + len(self._rejected)

    def get(self, key: bytes) -> Fact | None:
        """What is known, however old."""
        fact = self._at_hand.get(key)
        if fact is not None:
            self._at_hand.move_to_end(key)
            return fact
        return self._fetched(key) or self._rejected.get(key)

    def put(self, key: bytes, fact: Fact) -> None:
        """Keep the fact, unless an answer overtook it: a yes gives way to what was asked a little later.

        What was asked much later was asked before the clock was set back. A no is kept in any case.
        """
        if isinstance(fact, Rejected):
            self._drop(key)
            # A cache without room raises ValueError.
            if self._rejected.maxsize:
                self._rejected[key] = fact
            return
        known = self.get(key)
        if known is None or not 0 < known.asked_at - fact.asked_at < RESTEP:
            self._rejected.pop(key, None)
            self._keep(key, fact)

    def forget(self, client_id: str) -> Iterator[int]:
        """Drop a client's verified tokens. From the call on none of them is known.

        The steps set the memory free, a part with each, and give how many there were in it.
        """
        gone = [key for key, fact in self._at_hand.items() if _is_of(fact, client_id)]
        for key in gone:
            del self._at_hand[key]
        mark = mark_of(client_id)
        self._doomed.append(mark)
        return self._forget(mark, len(gone))

    def forget_all(self) -> Iterator[int]:
        """Drop all verified tokens, in the same way."""
        at_hand, self._at_hand = self._at_hand, OrderedDict()
        return chain(_emptied(at_hand), self._archive.drop_all())

    def _forget(self, mark: bytes, at_hand: int) -> Iterator[int]:
        yield at_hand
        yield from self._archive.drop_marked(mark)
        self._doomed.remove(mark)

    def _fetched(self, key: bytes) -> Active | NotIntrospectable | None:
        """What was put away, at hand from now on."""
        record = self._archive.get(key)
        if record is None or record.startswith(tuple(self._doomed)):
            return None
        self._archive.drop(key)
        fact = self._at_hand[key] = self._records.read(record)
        if len(self._at_hand) > self._most_at_hand:
            unused, old = self._at_hand.popitem(last=False)
            self._archive.put(unused, self._records.write(old))
        return fact

    def _keep(self, key: bytes, fact: Active | NotIntrospectable) -> None:
        """Put it away: it comes to hand when it is asked for. What is at hand and still so, stays there."""
        if not self._room:
            return
        record = self._records.write(fact)
        renewed = self._records.renewed(self._at_hand.pop(key, None), record)
        if renewed is not None:
            self._at_hand[key] = renewed
            return
        self._archive.put(key, record)
        if len(self._at_hand) + len(self._archive) <= self._room:
            return
        # What was not asked for again goes first, but for an eighth of the room: all of it was new once.
        if len(self._archive) > max(1, self._room // 8):
            self._archive.drop_older(key)
        else:
            self._at_hand.popitem(last=False)

    def _drop(self, key: bytes) -> None:
        if self._at_hand.pop(key, None) is None:
            self._archive.drop(key)


def _is_of(fact: Active | NotIntrospectable, client_id: str) -> bool:
    return isinstance(fact, Active) and fact.token.client_id == client_id


def _emptied(at_hand: OrderedDict[bytes, Active | NotIntrospectable]) -> Iterator[int]:
    while at_hand:
        count = min(len(at_hand), STEP)
        for _ in range(count):
            at_hand.popitem()
        yield count

"""Where the frames of a WebSocket begin, and which of them the library takes although the RFC does not. No I/O."""

MEDIUM, LARGE = 126, 127
"""The lengths that stand for one in the next two bytes, and in the next eight (RFC 6455, 5.2)."""
LONGEST_HEAD = 10
"""Bytes of a frame before its mask."""
TEXT, BINARY = 1, 2


class Frames:
    """Follows the frames of one direction. The library reads them; here is only what it does not look at."""

    __slots__ = ("_begun", "_in_message", "_left", "_masked")

    def __init__(self, *, masked: bool) -> None:
        """`masked`: they come from a client."""
        self._masked = masked
        self._begun = b""
        """Of a head that has not ended."""
        self._left = 0
        """Bytes until the next head."""
        self._in_message = False

    def sound(self, octets: bytes) -> int:
        """How many of these bytes come before the head of a frame that may not be; usually all."""
        position, end = 0, len(octets)
        while True:
            if self._left >= end - position:
                self._left -= end - position
                return end
            position += self._left
            self._left = 0
            head = self._begun + octets[position : position + LONGEST_HEAD - len(self._begun)]
            size = _size(head)
            if len(head) < size:
                self._begun = head
                return end
            if not self._may_be(head):
                return position
            position += size - len(self._begun)
            self._begun = b""
            self._left = _length(head) + (4 if self._masked else 0)

    def _may_be(self, head: bytes) -> bool:
        # RFC 6455, 5.1: "The server MUST close the connection upon receiving a frame that is not masked", and "A client
        # MUST close a connection if it detects a masked frame".
        if bool(head[1] & 0x80) is not self._masked:
            return False
        opcode, final = head[0] & 0x0F, bool(head[0] & 0x80)
        if opcode > BINARY:
            return True
        # RFC 6455, 5.4: "The fragments of one message MUST NOT be interleaved between the fragments of another". The
        # library looks for bytes of a message, and an empty fragment has none.
        if opcode in {TEXT, BINARY} and self._in_message:
            return False
        self._in_message = not final
        return True


def _size(head: bytes) -> int:
    """How many bytes of a head tell everything."""
    if len(head) < 2:
        return 2
    return 2 + {MEDIUM: 2, LARGE: 8}.get(head[1] & 0x7F, 0)


def _length(head: bytes) -> int:
    short = head[1] & 0x7F
    return short if short < MEDIUM else int.from_bytes(head[2 : _size(head)])

"""Octets by key, many of them, in the order in which they were put there. Pure."""

from collections.abc import Iterator

SEGMENT = 4096
"""Entries of a segment, about, once there is no more room."""


class Archive:
    """A dictionary in many small ones.

    One large one would hold up everything while it grows, and to find its oldest entry it would walk over the holes
    of all that went before. The garbage collector does not look into a dictionary of octets.
    """

    def __init__(self, room: int) -> None:
        self._segments = _segments(room)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def get(self, key: bytes) -> bytes | None:
        """What is there under that key."""
        return self._segment(key).get(key)

    def put(self, key: bytes, octets: bytes) -> None:
        """Put it behind all that is there."""
        segment = self._segment(key)
        if segment.pop(key, None) is None:
            self._count += 1
        segment[key] = octets

    def drop(self, key: bytes) -> bool:
        """Take out what is there under that key; whether there was anything."""
        found = self._segment(key).pop(key, None) is not None
        self._count -= found
        return found

    def drop_older(self, key: bytes) -> None:
        """Take out the oldest of the segment where that key is."""
        segment = self._segment(key)
        self._count -= 1
        del segment[next(iter(segment))]

    def drop_marked(self, mark: bytes) -> Iterator[int]:
        """Take out what begins so: a segment with each step, which gives how many there were in it."""
        for index in range(len(self._segments)):
            # Looked up in each step: there may be others by then.
            segment = self._segments[index]
            doomed = [key for key, octets in segment.items() if octets.startswith(mark)]
            for key in doomed:
                del segment[key]
            self._count -= len(doomed)
            yield len(doomed)

    def drop_all(self) -> Iterator[int]:
        """Take out everything at once; the steps count it, and set the memory free a segment at a time."""
        old, self._segments, self._count = self._segments, [{} for _ in self._segments], 0
        return map(_emptied, old)

    def _segment(self, key: bytes) -> dict[bytes, bytes]:
        # Not by the key's hash, whose last bits find the place inside the segment.
        return self._segments[int.from_bytes(key[:2], "big") % len(self._segments)]


def _segments(room: int) -> list[dict[bytes, bytes]]:
    # As many as a power of two: then each place that a key may have is as likely as the others.
    return [{} for _ in range(min(1 << (room // SEGMENT).bit_length(), 1 << 16))]


def _emptied(segment: dict[bytes, bytes]) -> int:
    count = len(segment)
    segment.clear()
    return count

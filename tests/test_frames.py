"""Where frames begin, however they are split; and the few that are told apart here."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from gateway.frames import Frames
from tests.rfc.test_websocket import BINARY, CONTINUATION, PING, TEXT, Frame

SIZES = some.sampled_from([0, 1, 2, 125, 126, 127, 65535, 65536])


def fed(frames: Frames, octets: bytes, sizes: list[int]) -> int:
    """How many of these bytes are sound, when they come in pieces of these sizes."""
    total = 0
    for size in [*sizes, len(octets)]:
        piece, octets = octets[:size], octets[size:]
        sound = frames.sound(piece)
        total += sound
        if sound < len(piece):
            break
    return total


@given(some.lists(SIZES, max_size=5), some.lists(some.integers(0, 40), max_size=60), some.booleans())
def test_sound_frames_are_followed_wherever_they_are_split(lengths: list[int], sizes: list[int], masked: bool) -> None:
    octets = b"".join(Frame(BINARY, b"\x01" * length).octets(masked) for length in lengths)
    assert fed(Frames(masked=masked), octets, sizes) == len(octets)


@given(SIZES, some.lists(some.integers(0, 40), max_size=60), some.booleans())
def test_what_may_not_be_ends_it_with_its_head(length: int, sizes: list[int], masked: bool) -> None:
    sound, wrong = Frame(BINARY, b"\x01" * length).octets(masked), Frame(TEXT, b"a" * 130).octets(not masked)
    assert len(sound) <= fed(Frames(masked=masked), sound + wrong, sizes) <= len(sound) + 4
    assert fed(Frames(masked=masked), sound + wrong, []) == len(sound)


@pytest.mark.parametrize(
    ("frames", "sound"),
    [
        ([Frame(TEXT, final=False), Frame(CONTINUATION)], 2),
        ([Frame(TEXT, final=False), Frame(PING), Frame(CONTINUATION), Frame(TEXT)], 4),
        ([Frame(TEXT, final=False), Frame(TEXT)], 1),
        ([Frame(TEXT, final=False), Frame(CONTINUATION, final=False), Frame(BINARY, final=False)], 2),
    ],
)
def test_a_message_does_not_begin_in_another(frames: list[Frame], sound: int) -> None:
    octets = [frame.octets(True) for frame in frames]
    assert Frames(masked=True).sound(b"".join(octets)) == len(b"".join(octets[:sound]))

"""Frames of a stream that wait: as many as are of use, and no more than there is memory for."""

import asyncio

import pytest

from muybridge.verbs.serve.stream_inbox import Inbox

KEY, OTHER = b"\0\0\0\1\x65", b"\0\0\0\1\x41"
MB = 2**20


def taken(inbox: Inbox) -> list[float]:
    inbox.stop()
    return [part.seconds for part in asyncio.run(inbox.take())]


def test_of_pictures_the_newest_waits():
    inbox = Inbox(keeps_all=False)
    for number in range(5):
        inbox.put(number, bytes(16 * MB))
    assert inbox.dropped == 4 and taken(inbox) == [4]


@pytest.mark.parametrize(("size", "fit"), [(1000, 50), (1 * MB, 31), (15 * MB, 2)])
def test_of_h264_what_fits_waits_and_then_all_goes_up_to_the_next_key_frame(size, fit):
    inbox = Inbox(keeps_all=True)
    for number in range(fit):
        inbox.put(number, KEY + bytes(size))
    assert inbox.dropped == 0
    inbox.put(fit, OTHER + bytes(size))
    inbox.put(fit + 1, OTHER)
    assert inbox.dropped == fit + 2
    inbox.put(fit + 2, KEY)
    inbox.put(fit + 3, OTHER)
    assert taken(inbox) == [fit + 2, fit + 3]


def test_what_was_taken_takes_no_room():
    async def look():
        inbox = Inbox(keeps_all=True)
        for number in range(10):
            inbox.put(number, KEY + bytes(15 * MB))
            inbox.put(number, OTHER + bytes(15 * MB))
            assert len(await inbox.take()) == 2
        assert inbox.dropped == 0

    asyncio.run(look())

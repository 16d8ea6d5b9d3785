"""Packets of a stream in a file: each frame, at its time."""

import av
import pytest
from tests.helpers.streams import write_flashing

from muybridge.video.live.live_sources import find_source
from muybridge.video.live.opening_streams import open_stream_of
from muybridge.video.live.stream_file import StreamFile
from muybridge.video.live.stream_parts import StreamPacket


@pytest.mark.parametrize(
    ("codec", "pixels", "format"),
    [
        ("libx264", "yuv420p", "mpegts"),
        ("libx264", "yuv420p", "matroska"),  # its first packets have no dts
        ("libx264", "yuv420p", "flv"),
        ("mpeg4", "yuv420p", "avi"),
        ("libsvtav1", "yuv420p", "matroska"),
        ("libvpx", "yuv420p", "matroska"),
    ],
)
def test_a_copy_has_every_frame_at_its_time(tmp_path, codec, pixels, format):
    video = write_flashing(tmp_path / f"a.{format}", seconds=2, codec=codec, pixels=pixels, format=format)
    opened = open_stream_of(find_source(str(video)), stall_seconds=4)
    file = StreamFile(tmp_path / "copy", opened.stream)
    for packet in opened.container.demux(opened.stream):
        if packet.size:
            seconds = float((packet.pts if packet.dts is None else packet.dts) * packet.time_base)
            file.write(
                StreamPacket(bytes(packet), packet.pts, packet.dts, packet.time_base, packet.is_keyframe, seconds)
            )
    file.close()
    opened.close()
    assert (file.encoded_because, file.count) == (None, 50)
    with av.open(str(file.path)) as kept:
        times = [frame.time for frame in kept.decode(video=0)]
    assert [time - times[0] for time in times] == pytest.approx([number / 25 for number in range(50)], abs=0.002)

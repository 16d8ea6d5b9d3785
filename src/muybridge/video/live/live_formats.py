"""The formats and protocols of streams: allow-lists of their own, which make those of files no longer.

Each kind of source has the protocols that it needs and no others. A playlist (HLS) that came over HTTP may name
addresses, so it can have more fetched from where it likes, but by HTTP alone: no file and no other protocol.
"""

from muybridge.video.formats import CODECS, SOUND_CODECS

_STREAMED = (
    "mpegts mpjpeg mjpeg h264 hevc av1 obu ivf mpegvideo m4v flv live_flv matroska webm mov asf ogg nut mpeg avi"
)
_STREAMED += " yuv4mpegpipe"

# Of each kind the demuxers and the protocols. A playlist may have sound by itself.
_HTTP = f"{_STREAMED} hls aac mp3"
_ALLOWED = {
    "rtsp": ("rtsp", "rtp,udp,tcp"),
    "rtsps": ("rtsp", "rtp,udp,tcp,tls"),
    "rtmp": ("flv live_flv", "rtmp,tcp"),
    "rtmps": ("flv live_flv", "rtmps,tls,tcp"),
    "http": (_HTTP, "http,https,tls,tcp,crypto"),
    "https": (_HTTP, "http,https,tls,tcp,crypto"),
    "udp": (_STREAMED, "udp"),
    "tcp": (_STREAMED, "tcp"),
    "pipe": (_STREAMED, "pipe,fd,file"),
    "v4l2": ("v4l2 video4linux2", ""),
    "avfoundation": ("avfoundation", ""),
    "dshow": ("dshow", ""),
}

BY_ARRIVAL = frozenset({"mpjpeg", "mjpeg", "h264", "hevc", "mpegvideo", "m4v", "av1", "obu"})
"""Streams that hold no times: their frames have the time at which they came."""

_MICROSECONDS = 1_000_000


def live_options(kind: str, *, max_pixels: int, socket_seconds: float) -> dict[str, str]:
    """What FFmpeg must be told when it opens a stream of a kind.

    Args:
        kind: A scheme of `addresses.SCHEMES`, ``pipe``, or a camera's demuxer.
        max_pixels: Of a picture.
        socket_seconds: How long a socket waits for the other side, where nothing else ends the waiting before.
    """
    demuxers, protocols = _ALLOWED[kind]
    options = {
        "format_whitelist": ",".join(demuxers.split()),
        "codec_whitelist": ",".join(sorted(CODECS | SOUND_CODECS)),
        "max_pixels": str(max_pixels),
        "enable_drefs": "0",
    }
    if protocols:
        options["protocol_whitelist"] = protocols
    wait = str(round(socket_seconds * _MICROSECONDS))
    if kind.startswith("rtsp"):
        # TCP comes through firewalls and loses nothing; servers that have UDP alone are asked again.
        options |= {"rtsp_flags": "prefer_tcp", "timeout": wait}
    elif kind.startswith("http") or kind == "tcp":
        options |= {"rw_timeout": wait}
    elif kind.startswith("rtmp"):
        # Of a stream without sound FFmpeg would wait five seconds for sound.
        options |= {"analyzeduration": "2000000"}
    elif kind == "udp":
        # Room for bursts, and no end for a lost packet.
        options |= {"fifo_size": "50000", "overrun_nonfatal": "1", "timeout": wait}
    return options

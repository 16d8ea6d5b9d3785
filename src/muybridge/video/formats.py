"""The formats of files that are opened: an allow-list of demuxers and of codecs, and nothing else.

FFmpeg opens several hundred formats. Among them are lists of other files and addresses (concat, hls, dash, sdp), text
as animations, pictures, games of the nineties, and capture devices; each is code that a stranger's file could reach.
Here is what cameras, phones, screens, data sets and tapes write. None of these demuxers opens another file: MOV could,
but FFmpeg leaves that off unless it is asked (``enable_drefs``). This list is for files alone. Who opens a camera or an
address that the user typed needs a list of their own, never this one made longer.

Sound is decoded for one thing alone, the copy of a video that a browser can play; it has a list of codecs of its own.
"""

from pathlib import Path

from muybridge.errors import VideoError

_DEMUXERS = {
    "phones, cameras and the web": "mov matroska webm flv ogg gif apng webp",
    "Windows": "avi asf",
    "discs, broadcasts and recorders": "mpeg mpegts wtv mxf gxf",
    "tapes": "dv",
    "surveillance cameras": "dhav ifv mpjpeg mxg",
    "old web video, still in data sets": "rm",
    "a stream alone, without a container": "mjpeg h264 hevc av1 obu ivf mpegvideo m4v h263 h261 vc1",
    "uncompressed data sets": "yuv4mpegpipe nut",
}

_CODECS = {
    "phones, cameras and the web": "h264 hevc av1 libdav1d vp8 vp9 mpeg4 h263 h263p h263i h261 flv theora vp3 vp6 vp6f",
    "discs and broadcasts": "mpeg1video mpeg2video mpegvideo vc1",
    "Windows and old AVI": "msmpeg4v1 msmpeg4v2 msmpeg4 wmv1 wmv2 wmv3 msvideo1 msrle cinepak indeo2 indeo3 indeo4 "
    "indeo5 asv1 asv2 sp5x",
    "old web video": "rv10 rv20 rv30 rv40 svq1 svq3 rpza qtrle smc",
    "one picture after the other": "mjpeg mjpegb jpeg2000 png gif apng webp",
    "tapes and editing": "dvvideo prores dnxhd cfhd aic pixlet",
    "surveillance cameras": "mxpeg imm4 imm5",
    "screens": "camstudio camtasia tscc2 mss1 mss2 zmbv flashsv flashsv2 fraps vmnc",
    "without loss": "huffyuv ffvhuff ffv1 utvideo lagarith magicyuv rawvideo v210 v308 v408 v410 r210 yuv4 y41p "
    "zlib mszh",
}

_SOUND_CODECS = {
    "phones, cameras and the web": "aac aac_latm mp3 mp3float opus libopus vorbis flac alac speex nellymoser",
    "discs, broadcasts and recorders": "mp1 mp1float mp2 mp2float ac3 ac3_fixed eac3 pcm_bluray pcm_dvd",
    "Windows and old web video": "wmav1 wmav2 wmapro adpcm_ms adpcm_ima_wav adpcm_ima_qt gsm gsm_ms cook",
    "telephones": "amrnb amrwb adpcm_g726",
    "uncompressed": "pcm_u8 pcm_s16le pcm_s16be pcm_s24le pcm_s24be pcm_s32le pcm_f32le pcm_alaw pcm_mulaw",
}

DEMUXERS = frozenset(" ".join(_DEMUXERS.values()).split())
CODECS = frozenset(" ".join(_CODECS.values()).split())
SOUND_CODECS = frozenset(" ".join(_SOUND_CODECS.values()).split())

# Streams alone store no times. What FFmpeg calls their average rate is its own assumption, or the pace of its clock;
# the rate that it guesses is the one that the stream itself states.
WITHOUT_TIMES = frozenset({"h264", "hevc", "mpegvideo", "m4v", "vc1", "dv", "av1", "obu"})

# A file that begins like this lists its streams in its header, so that what is asked of their decoders holds from the
# first on. In others, streams turn up on the way.
_STREAMS_IN_HEADER = (b"RIFF", b"\x1a\x45\xdf\xa3", b"GIF8", b"\x89PNG")
_MOV_ATOMS = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")

_STILL_BRANDS = (b"heic", b"heix", b"mif1", b"avif")
_PICTURES: tuple[bytes, ...] = (
    b"\xff\xd8\xff",
    b"\x89PNG",
    b"GIF8",
    b"BM",
    b"II*\0",
    b"MM\0*",
    b"8BPS",
    b"\x76\x2f\x31\x01",
    b"qoif",
)
_PICTURES += (b"\0\0\x01\0", b"\xff\x0a", b"\0\0\0\x0cJXL ", b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51", b"DDS ", b"SDPX")
_SOUNDS: tuple[bytes, ...] = (
    b"ID3",
    b"fLaC",
    b".snd",
    b"#!AMR",
    b"wvpk",
    b"MThd",
    b"\xff\xfb",
    b"\xff\xfa",
    b"\xff\xf3",
    b"\xff\xf2",
)
_SOUNDS += (b"\xff\xf1", b"\xff\xf9", b"\x0b\x77", b"caff", b"MAC ")
_LISTS = (b"ffconcat", b"#EXTM3U", b"<MPD", b"[playlist]", b"v=0\r\n", b"v=0\n", b"<asx", b"[Reference]")
_MOTION_JPEG_NAMES = (".mjpeg", ".mjpg")

_REPLACE_FILE = "replace or remove the file"


def open_options(max_pixels: int, *, decode: bool = True) -> dict[str, str]:
    """What FFmpeg must be told when it opens a file; without ``decode``, it looks at no picture on the way."""
    return {
        "protocol_whitelist": "file,pipe",
        "format_whitelist": ",".join(sorted(DEMUXERS)),
        "codec_whitelist": ",".join(sorted(CODECS)) if decode else "none",
        "enable_drefs": "0",
        "max_pixels": str(max_pixels),
    }


def lists_streams_in_header(head: bytes) -> bool:
    """Whether a file that begins with ``head`` names all its streams before its first picture."""
    return head.startswith(_STREAMS_IN_HEADER) or head[4:8] in _MOV_ATOMS


def size_in_header(head: bytes) -> tuple[int, int] | None:
    """Width and height of the pictures, where FFmpeg only tells them once it has taken the memory for one."""
    if head.startswith(b"GIF8") and len(head) >= 10:
        return int.from_bytes(head[6:8], "little"), int.from_bytes(head[8:10], "little")
    if head.startswith(b"\x89PNG") and len(head) >= 24:
        return int.from_bytes(head[16:20]), int.from_bytes(head[20:24])
    if head[:4] == b"RIFF" and head[8:16] == b"WEBPVP8X" and len(head) >= 30:
        return 1 + int.from_bytes(head[24:27], "little"), 1 + int.from_bytes(head[27:30], "little")
    return None


def refuse_by_beginning(path: Path, head: bytes) -> None:
    """Refuse a file that by its first bytes is a list of other files or a picture.

    Raises:
        VideoError: It is.
    """
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if start.startswith(_LISTS) or (start.startswith(b"<?xml") and b"<MPD" in head):
        raise VideoError(path, "a list of other files or addresses, not a video", "name the videos themselves")
    if head[4:8] == b"ftyp" and head[8:12] in _STILL_BRANDS:
        raise VideoError(path, "a still image, not a video", _REPLACE_FILE)
    if head.startswith(b"\xff\xd8\xff") and path.suffix.lower() not in _MOTION_JPEG_NAMES:
        hint = f"{_REPLACE_FILE}; if it is motion JPEG, name it {path.stem or 'clip'}.mjpeg"
        raise VideoError(path, "a still image, not a video", hint)


def known_by_beginning(path: Path, head: bytes) -> VideoError | None:
    """The error for a file that FFmpeg refuses, where its first bytes say what it is; else None."""
    if head.startswith(_PICTURES) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP"):
        return VideoError(path, "a still image, not a video", _REPLACE_FILE)
    if head.startswith(_SOUNDS) or head[8:12] in (b"WAVE", b"AIFF", b"AIFC"):
        return VideoError(path, "no video stream, only audio", _REPLACE_FILE)
    if head and _is_text(head):
        return VideoError(path, "not a video but text", _REPLACE_FILE)
    return None


def not_opened(path: Path, reason: str) -> VideoError:
    """The error for a file that FFmpeg refuses, and whose first bytes say nothing."""
    return VideoError(path, f"not a video, or cut off before its header is complete: {reason}", _REPLACE_FILE)


def not_on_the_list(path: Path, what: str) -> VideoError:
    """The error for a format or a codec that is none of those that are opened."""
    reason = f"{what} is not among the formats that are opened"
    return VideoError(path, reason, "convert it, e.g. to H.264 in MP4; docs/explanation/decoding.md lists them")


def _is_text(head: bytes) -> bool:
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 3:  # a character may be cut in two at the end
            return False
        text = head[: error.start].decode("utf-8")
    return all(character.isprintable() or character.isspace() for character in text)

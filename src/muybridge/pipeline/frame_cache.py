"""The frame cache: every clip is decoded once, and its sampled frames stay on disk as uint8.

Notable: an entry's name is a hash over the file's *content*, the sampler, the size and the format version, so a
changed clip or setting can never meet stale frames. An entry carries a checksum that is verified at its first
use in a process; a damaged or vanished entry is rebuilt from its clip. Entries are written whole or not at all,
so processes can share a folder. The folder keeps to a byte budget by dropping the least recently used entries.

Raw frames are memory-mapped per read and closed again (see ``cache_file``), so that mapped pages never pile up in the
process's resident memory. As JPEG, the images lie one behind the other.

Axes: T frames, H height, W width, C channels (RGB).
"""

import hashlib
import json
import math
import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from muybridge import ranks
from muybridge.console import STDERR, say
from muybridge.dataset.catalog import Clip
from muybridge.errors import UserError, VideoError
from muybridge.file_parts import is_remote, open_bytes, status_of
from muybridge.files import content_hash, require_local, require_writable
from muybridge.pipeline.affine import Frames
from muybridge.pipeline.cache_file import DamagedEntryError
from muybridge.pipeline.cache_folder import FRAMES_SUFFIX, default_cache_folder, entry_path, make_room
from muybridge.pipeline.frame_entries import Entry, Views, read_entry, read_frames_at, write_entry
from muybridge.pipeline.shard_pieces import ReadAhead, ShardPieces, wanted_by
from muybridge.recipes.cache import CacheConfig
from muybridge.storage.patience import watching_storage
from muybridge.storage.remote_files import status_of_remote
from muybridge.storage.remote_reading import THREADS_A_CORE
from muybridge.storage.urls import url_at
from muybridge.temporaries import remove_dead
from muybridge.threads import pool_of
from muybridge.video.decoding import SampledFrames, read_sampled
from muybridge.video.fit_names import Fit
from muybridge.video.hardware import Decoder, decoding_on, require_decoder
from muybridge.video.sampler import Sampler

VERSION = 2
MOST_THREADS = 64
# Measured on H.264 and MPEG-4 clips at 112-224 px: JPEG at quality 90 takes about a twelfth of raw RGB.
JPEG_SHRINK = 12
# A clip of UCF101 has 187 frames on average, 25 a second (Soomro et al., 2012), one of HMDB-51 fewer.
TYPICAL_FRAME_COUNT = 190
TYPICAL_RATE = 25


@dataclass
class BuildResult:
    """What ``FrameCache.build`` found.

    Attributes:
        built: Clips decoded now.
        reused: Clips whose frames were already there.
        failed: Clip id to reason, for every clip that does not decode.
    """

    built: int = 0
    reused: int = 0
    failed: dict[str, str] = field(default_factory=dict)


class FrameCache:
    """Sampled frames of clips, decoded once and read many times.

    Args:
        config: Folder, format and budget.
        sampler: Which frames of a clip.
        views: How many views of the sampler to keep; None: all windows of a `SlidingSampler`.
        size_px: Side of the square frames.
        fit: How a picture becomes one.
        suffix: Of the entries' names: which kind they are.
        decoder: What decodes.

    Raises:
        UserError: There is no such decoder here.
    """

    def __init__(
        self,
        config: CacheConfig,
        *,
        sampler: Sampler,
        views: int | None,
        size_px: int,
        fit: Fit = "squash",
        suffix: str = FRAMES_SUFFIX,
        decoder: Decoder = "cpu",
    ) -> None:
        require_decoder(decoder)
        self.decoder: Decoder = decoder
        self.suffix = suffix
        self.folder = Path(config.folder) if config.folder else default_cache_folder()
        require_local(self.folder)
        self.format = config.format
        self.budget_bytes = int(config.budget_gb * 1e9)
        self.sampler = sampler
        self.views = views
        self.size_px = size_px
        self.fit: Fit = fit
        self.pieces = ShardPieces(self.folder, budget_bytes=int(config.shards_gb * 1e9))
        self._paths: dict[str, Path] = {}
        self._entries: dict[str, Entry] = {}

    def build(
        self,
        clips: Sequence[Clip],
        *,
        workers: int,
        on_progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> BuildResult:
        """Make sure that every clip has its frames in the cache.

        Several processes (``muybridge.ranks``) that call this together decode a share each.

        Args:
            clips: The clips.
            workers: Threads; decoding and resizing release Python's lock. See `reading_threads`.
            on_progress: Called with (done, total) after each clip.

        Returns:
            Counts, and the reason for every clip that does not decode.

        Raises:
            UserError: If these clips alone need more than the budget, the folder cannot be written, or a bucket cannot
                be reached.
        """
        self.require_folder()
        remove_dead(*self.folder.glob("??"))
        result = BuildResult()
        with pool_of(workers) as pool:
            missing = self._find(clips, pool, result)
            if ranks.is_first():  # with all that all of them need in view
                self._make_room(len(missing))
            ranks.barrier()
            self._read_all(missing, self._decode, pool, result, total=len(clips), on_progress=on_progress)
        return result

    def require_folder(self) -> None:
        """Make sure that the cache can be written.

        Raises:
            UserError: It cannot.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            require_writable(self.folder)
        except OSError as error:
            raise UserError(
                f"cannot write the frame cache at {self.folder}: {error.strerror}; name another with cache.folder"
            ) from None

    def _read_all(
        self,
        clips: Sequence[Clip],
        read: Callable[[Clip], object],
        pool: ThreadPoolExecutor,
        result: BuildResult,
        *,
        total: int,
        on_progress: Callable[[int, int], None],
    ) -> None:
        """Read each clip once, those of shards from front to back; each process takes neighbours."""
        on_progress(result.reused, total)
        own = ranks.stretch(clips)

        def through(clip: Clip) -> None:
            with self.pieces.serving() if clip.is_packed else nullcontext(), watching_storage() as failures:
                try:
                    read(clip)
                except VideoError as error:
                    if not failures:
                        raise
                    # Nothing is known of the clip; left out, it would be missing from the training for good.
                    raise UserError(f"{clip.id} cannot be read: {failures[0]}; run the same command again") from error

        failed: dict[str, str] = {}
        with self.reading_ahead(own) as reached:
            futures = {pool.submit(through, clip): clip for clip in own}
            for done, future in enumerate(as_completed(futures), 1):
                reached(done)
                try:
                    future.result()
                except VideoError as error:
                    failed[futures[future].id] = error.reason
                on_progress(min(total, result.reused + done * ranks.size()), total)
        for part in ranks.gathered(failed):
            result.failed |= part
        result.built = len(clips) - sum(clip.id in result.failed for clip in clips)

    @contextmanager
    def reading_ahead(self, clips: Sequence[Clip]) -> Iterator[Callable[[int], None]]:
        """While this lasts, pieces of remote shards are fetched ahead of whoever reads these clips in order.

        What it gives is told how many of the clips are read.
        """
        remote = [
            (number, (url, place[1], place[2]))
            for number, clip in enumerate(clips)
            if (place := clip.shard_place) is not None and (url := url_at(place[0])) is not None
        ]
        if not remote:
            yield lambda done: None
            return
        numbers, places = [number for number, _ in remote], [place for _, place in remote]
        ahead = ReadAhead(self.pieces, list(wanted_by(places, numbers.__getitem__)), lanes=2)
        ahead.reached(0)
        try:
            yield ahead.reached
        finally:
            ahead.close()

    def _find(self, clips: Sequence[Clip], pool: ThreadPoolExecutor, result: BuildResult) -> list[Clip]:
        """Name the entry of each clip by what its file holds; returns the clips that have none yet."""
        # Many clips can be parts of one long file.
        files = {clip.path: clip for clip in clips}
        own = ranks.share(list(files))
        contents: dict[Path, tuple[str | None, str]] = {}
        found = pool.map(_hash_or_reason, (files[path] for path in own))
        for part in ranks.gathered(dict(zip(own, found, strict=True))):
            contents |= part
        there: set[str] = set()
        for clip in clips:
            content, reason = contents[clip.path]
            if content is None:
                result.failed[clip.id] = reason
            else:
                self._paths[clip.id] = entry_path(self.folder, self._key(clip, content), self.suffix)
        for clip in ranks.share(clips):
            if clip.id in self._paths and self._paths[clip.id].exists():
                there.add(clip.id)
                os.utime(self._paths[clip.id])
        there = set().union(*ranks.gathered(there))
        result.reused = len(there)
        missing = [clip for clip in clips if clip.id in self._paths and clip.id not in there]
        # Shards are read from their first byte to their last.
        return sorted(missing, key=place_in_shard)

    def key_of(self, clip: Clip) -> str | None:
        """What names the entry of a clip, whether or not there is one; None for a clip that cannot be read."""
        content, _ = _hash_or_reason(clip)
        return None if content is None else self._key(clip, content)

    def expect(self, keys: Mapping[str, str]) -> None:
        """Take the keys of some clips, by their id, as ``build`` does; frames are decoded when they are asked for."""
        self._paths |= {id: entry_path(self.folder, key, self.suffix) for id, key in keys.items()}

    def entry(self, clip: Clip) -> Views:
        """The verified header of a clip's entry, rebuilt first if it is damaged or gone."""
        return self._entry(clip)

    def _entry(self, clip: Clip) -> Entry:
        known = self._entries.get(clip.id)
        if known is not None and known.file.path.exists():
            return known
        path = self._paths[clip.id]
        try:
            entry = read_entry(path)
        except (DamagedEntryError, FileNotFoundError) as error:
            if isinstance(error, DamagedEntryError):
                say(STDERR, f"{error}; {clip} is decoded anew")
            self._decode(clip)
            entry = read_entry(path)
        self._entries[clip.id] = entry
        return entry

    def key(self, clip: Clip) -> str:
        """What names the entry of a clip that ``build`` has seen: a hash over all that its frames depend on."""
        return self._paths[clip.id].stem

    @property
    def paths(self) -> Collection[Path]:
        """The entries of all clips that ``build`` has seen."""
        return self._paths.values()

    def read(self, clip: Clip, positions: Sequence[int] | npt.NDArray[np.int64]) -> Frames:
        """Read stored frames of a clip.

        Args:
            clip: A clip that ``build`` has seen and that decodes.
            positions: Positions into the stored frames (see ``Entry.views``).

        Returns:
            frames_THWC, uint8 RGB, a copy.
        """
        try:
            return read_frames_at(self._entry(clip), positions)
        except FileNotFoundError:
            # Another process dropped the entry to keep the budget between the look and the read.
            del self._entries[clip.id]
            return read_frames_at(self._entry(clip), positions)

    def _key(self, clip: Clip, content: str) -> str:
        parts: dict[str, object] = {
            "version": VERSION,
            "content": content,
            "range_seconds": [clip.start_seconds, clip.end_seconds],
            "sampler": self.sampler.to_dict(),
            "views": self.views,
            "size_px": self.size_px,
            "format": self.format,
        }
        if self.fit != "squash":  # what was cached before there was a choice keeps its name
            parts["fit"] = self.fit
        if self.decoder != "cpu":
            parts["decoder"] = self.decoder
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:40]

    def _decode(self, clip: Clip) -> None:
        sampled = self.decoded(clip)
        write_entry(
            self._paths[clip.id],
            sampled.frames_THWC,
            views=sampled.views,
            frame_count=sampled.frame_count,
            format=self.format,
        )

    def decoded(self, clip: Clip) -> SampledFrames:
        """The frames of a clip as they are kept.

        Raises:
            VideoError: It does not decode.
        """
        if clip.is_packed and not _is_as_packed(clip):  # entries are named by what the index says
            self._forget_pieces(clip)  # one of these may be damaged
            if not _is_as_packed(clip):
                raise VideoError(clip.path, "its bytes are not those that were packed", "copy its shard again")
        with decoding_on(self.decoder):
            return read_sampled(
                clip.path,
                self.sampler,
                views=self.views,
                size_px=self.size_px,
                fit=self.fit,
                start_seconds=clip.start_seconds,
                end_seconds=clip.end_seconds,
            )

    def _forget_pieces(self, clip: Clip) -> None:
        place = clip.shard_place
        if place is not None and (url := url_at(place[0])) is not None:
            self.pieces.forget(url, status_of_remote(url), place[1], place[1] + place[2])

    def frames_bytes(self, clip_count: int) -> int:
        """About what the frames of so many clips take."""
        each = self._frames_each() * self.size_px**2 * 3 // (JPEG_SHRINK if self.format == "jpeg" else 1)
        return clip_count * each

    def _make_room(self, missing: int) -> None:
        make_room(
            self.folder,
            missing_bytes=self.frames_bytes(missing),
            mine=self._paths.values(),
            budget_bytes=self.budget_bytes,
            advice="" if self.format == "jpeg" else " or cache.format jpeg (about a twelfth of the space)",
        )

    def _frames_each(self) -> int:
        """About how many frames of a clip are stored; the lengths of clips are not known before decoding."""
        if self.views is None:
            rate = getattr(self.sampler, "frames_per_second", 0)
            step = TYPICAL_RATE / rate if rate else getattr(self.sampler, "stride", 1)
            return math.ceil(TYPICAL_FRAME_COUNT / step)
        length = getattr(self.sampler, "frames", None) or 64
        return int(length) * self.views


def _is_as_packed(clip: Clip) -> bool:
    """Whether a clip's bytes are those of the index, read now: a piece of a shard may have been damaged meanwhile."""
    with open_bytes(clip.path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == clip.sha256


def place_in_shard(clip: Clip) -> tuple[str, int]:
    """What sorts clips as they lie in shards; those that are in none come first."""
    place = clip.shard_place
    return ("", 0) if place is None else place[:2]


def reading_threads(clips: Sequence[Clip], cores: int) -> int:
    """How many threads read clips: more where they wait for a bucket. Pieces of shards are fetched ahead by others."""
    waits = any(not clip.is_packed and is_remote(clip.path) for clip in clips)
    return min(MOST_THREADS, THREADS_A_CORE * cores) if waits else cores


def _hash_or_reason(clip: Clip) -> tuple[str | None, str]:
    """What a clip's file holds, or why it cannot be read."""
    try:
        if clip.is_packed:
            status_of(clip.path)
            return clip.sha256, ""
        if is_remote(clip.path):  # by its version there: hashing its bytes would fetch them all
            about = status_of(clip.path)
            return hashlib.sha256(f"{url_at(clip.path)} {about.st_size} {about.st_ino}".encode()).hexdigest(), ""
        return content_hash(clip.path), ""
    except OSError as error:
        return None, f"cannot be read: {error.strerror}"

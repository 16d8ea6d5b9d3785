"""How far packing runs ahead of what it writes."""

import time
from threading import Lock

from muybridge.verbs.pack import writing
from muybridge.verbs.pack.plan import Plan, PlannedSample
from muybridge.verbs.pack.samples import PictureSample

CLIP_BYTES, CLIPS = 1000, 12


def test_encoded_clips_wait_for_their_turn_within_a_bound_of_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr(writing, "HELD_BYTES", CLIP_BYTES, raising=False)
    planned = tuple(PlannedSample(tmp_path / str(n), str(n), f"{n:08}.jpegs", 0, 0, ()) for n in range(CLIPS))
    begun, seen, lock = [], [], Lock()

    def prepare(sample: PlannedSample) -> PictureSample:
        with lock:
            begun.append(sample.name)
        if sample.name == "0":  # the others would run ahead meanwhile
            time.sleep(0.5)
            seen.extend(begun)
        return PictureSample(sample.name.encode() * CLIP_BYTES, sample.name)

    shards, kept = writing.write_shards(
        tmp_path, Plan(planned, "jpeg", {}), prepare, shard_bytes=10**9, workers=3, progress=lambda done: None
    )
    assert len(seen) <= 3  # the first, and what the two other threads had begun when nothing was held
    assert kept == 0
    assert [outcome.source_sha256 for outcome in shards[0].outcomes] == [str(n) for n in range(CLIPS)]

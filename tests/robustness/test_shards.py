"""Shards and indexes that were damaged: an error of one line, or clips that are named, and nothing else."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from tests.helpers.clips import write_clips
from tests.helpers.nightly import cases

from muybridge import api
from muybridge.dataset.layouts import read_catalog
from muybridge.errors import UserError
from muybridge.video.full_decoding import decode_fully

SEEDS = cases(60, 2000)


@pytest.fixture(scope="module", params=["clips", "jpeg", "avif", "tfrecord"])
def packed(request, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("packed")
    clips = write_clips(folder / "clips", groups=2, per_group=1)
    return api.pack(clips, folder / "shards", kind=request.param).folder


def damage(data: bytes, generator: np.random.Generator) -> bytes:
    """Some bytes changed, or the end cut off."""
    if generator.random() < 0.2:
        return data[: int(generator.integers(len(data)))]
    changed = bytearray(data)
    for _ in range(int(generator.integers(1, 9))):
        changed[int(generator.integers(len(data)))] = int(generator.integers(256))
    return bytes(changed)


def test_any_index_is_a_catalog_or_one_line(packed, tmp_path):
    copy = tmp_path / "shards"
    shutil.copytree(packed, copy)
    whole, outcomes = (packed / "index.parquet").read_bytes(), set()
    for seed in SEEDS:
        (copy / "index.parquet").write_bytes(damage(whole, np.random.default_rng(seed)))
        try:
            catalog = read_catalog(copy)
        except UserError as error:
            assert "\n" not in str(error)
            outcomes.add("refused")
        else:
            outcomes.add("read")
            assert all(copy in clip.path.parents for clip in catalog.clips)
    assert "refused" in outcomes


def test_any_shard_decodes_or_is_one_line(packed):
    clip = read_catalog(packed).clips[0]
    [shard] = packed.glob("shard-*")
    whole, outcomes = shard.read_bytes(), set()
    try:
        for seed in SEEDS:
            changed = damage(whole, np.random.default_rng(seed))
            shard.write_bytes(changed + b"\0" * (len(whole) - len(changed)))
            try:
                decode_fully(clip.path)
                outcomes.add("decoded")
            except UserError as error:
                assert "\n" not in str(error)
                outcomes.add("refused")
    finally:
        shard.write_bytes(whole)
    assert outcomes == {"decoded", "refused"}

"""The order in which clips of shards are read."""

from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from muybridge.dataset.catalog import Clip
from muybridge.errors import UserError
from muybridge.launched import Place
from muybridge.pipeline.frame_cache import reading_threads
from muybridge.pipeline.frame_stream import FrameStream
from muybridge.pipeline.loader import BatchShares
from muybridge.pipeline.shard_pieces import PIECE_BYTES, ShardPieces
from muybridge.pipeline.stream_order import StreamOrder, lane_count, lanes_of, through_buffer
from muybridge.recipes.cache import CacheConfig
from muybridge.video.sampling import UniformSampler

CLIP_BYTES = 100_000


def clips_in(*counts: int, root: str = "shards") -> list[Clip]:
    """Clips in shards, so many in each."""
    return [
        Clip.packed(
            Path(root),
            f"shard-{shard:06}.tar/{place * CLIP_BYTES}+{CLIP_BYTES}/{shard}-{place}.avi",
            id=f"{shard}/{place}",
            label="a",
            group="g",
            group_known=True,
            split=None,
            start_seconds=None,
            end_seconds=None,
            size_bytes=CLIP_BYTES,
            sha256="0" * 64,
        )
        for shard, count in enumerate(counts)
        for place in range(count)
    ]


def order_of(clips: list[Clip], *, size: int = 1, rank: int = 0, batch_size: int = 8, **options: object) -> StreamOrder:
    values = {"shuffle": True, "seed": 0, "buffer_clips": 16, **options}
    pieces = ShardPieces(Path("nowhere"), budget_bytes=10**9)
    return StreamOrder(clips, batch_size=batch_size, place=Place(rank, size), pieces=pieces, **values)


def batches(clips: list[Clip], *, epoch: int = 0, size: int = 1, rank: int = 0, batch_size: int = 8) -> list[list[int]]:
    shares = BatchShares(order_of(clips, size=size, rank=rank, batch_size=batch_size), batch_size, Place(rank, size))
    shares.sampler.set_epoch(epoch)
    found = list(shares)
    assert len(found) == len(shares)
    assert {number for batch in found for number, _ in batch} == {epoch}
    return [[index for _, index in batch] for batch in found]


@pytest.mark.parametrize("counts", [(40,), (7, 1, 13, 30, 5, 5, 9), (1,) * 37, (3, 50)], ids=str)
@pytest.mark.parametrize(("size", "batch_size"), [(1, 8), (2, 8), (3, 8), (4, 6), (5, 5), (2, 1), (16, 64), (1, 7)])
def test_each_clip_comes_once_in_an_epoch_over_all_processes(counts, size, batch_size):
    """A process without a clip in the last batch takes its first one along, which does not count."""
    clips = clips_in(*counts)
    for epoch in (0, 1):
        shares = [batches(clips, epoch=epoch, size=size, rank=rank, batch_size=batch_size) for rank in range(size)]
        seen: Counter[int] = Counter()
        for number in range(-(-len(clips) // batch_size)):
            whole = min(batch_size, len(clips) - number * batch_size)
            for rank in range(size):
                own = len(range(rank, whole, size))
                assert len(shares[rank][number]) == max(1, own)
                seen.update(shares[rank][number][:own])
        assert seen == Counter(range(len(clips)))


def test_one_two_four_and_eight_processes_share_the_batches_of_one():
    clips = clips_in(20, 20, 20, 19)
    alone = batches(clips)
    for size in (2, 4, 8):
        shares = [batches(clips, size=size, rank=rank) for rank in range(size)]
        for number, batch in enumerate(alone[:-1]):
            assert [batch[rank::size] for rank in range(size)] == [share[number] for share in shares]


def test_each_epoch_and_seed_has_its_own_order():
    clips = clips_in(20, 20, 20)
    orders = []
    for seed, epoch in ((0, 0), (0, 0), (0, 1), (1, 0)):
        order = order_of(clips, seed=seed)
        order.set_epoch(epoch)
        orders.append(list(order))
    assert orders[0] == orders[1]
    assert len({tuple(index for _, index in order) for order in orders}) == 3


def test_a_process_reads_lanes_of_its_own_each_from_front_to_back():
    clips = clips_in(*[30] * 32)
    shards_N = np.repeat(np.arange(32), 30)
    for size in (1, 2, 4):
        lanes = lane_count(16, size)
        found = lanes_of(shards_N, batch_size=16, lanes=lanes, buffer_clips=64, seed=0, epoch=3, shuffle=True)
        assert sorted(np.concatenate([lane.clips for lane in found]).tolist()) == list(range(len(clips)))
        for lane in found:
            stretches = np.flatnonzero(np.diff(lane.clips) != 1)
            assert len(stretches) <= 32 // lanes  # within a shard the next clip is the next one read
        read = [
            {index // 30 for batch in batches(clips, epoch=3, size=size, rank=rank, batch_size=16) for index in batch}
            for rank in range(size)
        ]
        # Each shard is read by one process, but for those that are cut at the end of a lane.
        shared = Counter(shard for shards in read for shard in shards)
        assert sum(count > 1 for count in shared.values()) <= lanes - 1


def test_clips_lie_in_the_buffer_for_as_long_as_it_holds_them():
    drawn = through_buffer(1000, 50, np.random.default_rng(0))
    assert sorted(drawn.tolist()) == list(range(1000))
    assert all(clip <= place + 49 for place, clip in enumerate(drawn))  # none leaves before it has come
    late = [place - clip for place, clip in enumerate(drawn.tolist())]
    assert 20 < np.mean(np.abs(late)) < 100
    assert np.corrcoef(drawn[:50], range(50))[0, 1] < 0.6
    assert through_buffer(10, 1, np.random.default_rng(0)).tolist() == list(range(10))
    assert sorted(through_buffer(3, 50, np.random.default_rng(0)).tolist()) == [0, 1, 2]


def test_neighbours_of_a_shard_are_apart_in_the_order():
    clips = clips_in(*[100] * 20)
    order = [index for _, index in order_of(clips, buffer_clips=400)]
    together = sum(abs(one - other) == 1 for one, other in pairwise(order))
    assert together < 40  # of 2,000; read in their own order, nearly all


def test_without_shuffling_and_lanes_the_order_is_the_data_sets_own():
    clips = clips_in(5, 9, 3)
    order = order_of(clips, shuffle=False, lanes=1)
    assert [index for _, index in order] == list(range(17))


def test_an_epoch_that_was_begun_with_other_lanes_goes_on_with_them():
    clips = clips_in(*[20] * 7)
    before = order_of(clips, size=4, batch_size=6)
    assert before.lanes == 4
    before.set_epoch(2)
    whole = [index for _, index in before]
    shares = BatchShares(order_of(clips, size=1, batch_size=6), 6, Place())
    shares.begin_at(2, 5, lanes=before.lanes)
    assert [index for batch in shares for _, index in batch] == whole[30:]
    shares.sampler.set_epoch(3)
    after = [index for batch in shares for _, index in batch]
    assert sorted(after) == list(range(140))
    assert shares.sampler.lanes == 6


def test_pieces_are_wanted_before_their_clips_are_read_and_in_the_order_of_the_shard():
    """With 84 clips a piece, and all needed by the time the first of its clips can leave the buffer."""
    clips = clips_in(*[300] * 4, root="s3://bucket/shards")
    for rank in range(2):
        order = order_of(clips, size=2, rank=rank)
        lanes = order._lanes()
        wanted = order._wanted(lanes, 0)
        assert [piece.position for piece in wanted] == sorted(piece.position for piece in wanted)
        known = {}
        for piece in wanted:
            known.setdefault((piece.url, piece.number), piece.position)
        sequence = [index for _, index in order]
        own = [position for position in range(len(sequence)) if position % 8 % 2 == rank]
        for position in own:
            shard, offset, size_bytes = clips[sequence[position]].shard_place
            for number in {offset // PIECE_BYTES, (offset + size_bytes - 1) // PIECE_BYTES}:
                assert known[shard.replace("s3:/", "s3://"), number] <= position


def test_an_epoch_that_is_taken_up_fetches_what_is_left_of_it_alone():
    clips = clips_in(*[300] * 4, root="s3://bucket/shards")

    def wanted() -> set[tuple[str, int]]:
        return {(piece.url, piece.number) for piece in order._ahead._wanted}

    order = order_of(clips)
    order.set_epoch(1)
    order.begin_with(1, 0, 800)
    needed = set()
    for _, index in list(order)[800:]:
        shard, offset, size_bytes = clips[index].shard_place
        url = shard.replace("s3:/", "s3://")
        needed |= {(url, offset // PIECE_BYTES), (url, (offset + size_bytes - 1) // PIECE_BYTES)}
    assert wanted() == needed
    assert len(needed) < 15
    order.set_epoch(2)
    iter(order)
    assert len(wanted()) == 16
    order.close()


def test_a_buffer_that_needs_more_than_the_pieces_may_take_is_refused(tmp_path):
    config = CacheConfig(folder=str(tmp_path), shards_gb=0.5)
    far, near = (clips_in(300, root=root) for root in ("s3://bucket/shards", "shards"))
    for buffer_clips, fits in ((10, True), (4000, False)):
        stream = FrameStream(
            config, sampler=UniformSampler(frames=4), views=1, size_px=32, fit="squash", buffer_clips=buffer_clips
        )
        stream.require_space(near, batch_size=8)  # on this disk already
        if fits:
            stream.require_space(far, batch_size=8)
        else:
            with pytest.raises(UserError, match=r"take about 668 MB of shards, and cache.shards_gb allows 500 MB"):
                stream.require_space(far, batch_size=8)


def test_more_threads_read_clips_of_their_own_in_a_bucket_and_no_more_those_of_shards():
    [packed, *_] = clips_in(3, root="s3://bucket/shards")
    alone = Clip(Path("s3://bucket/a/b.avi"), label="a", group="g")
    here = Clip(Path("a/b.avi"), label="a", group="g")
    assert [reading_threads([clip], 3) for clip in (here, packed, alone)] == [3, 3, 12]
    assert reading_threads([here, alone], 100) == 64

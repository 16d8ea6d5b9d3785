"""How clips are cut into pieces."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muybridge import UserError
from muybridge.dataset.catalog import Clip
from muybridge.pieces.planning import BATCH_BYTES, BATCH_CLIPS, PIECE_BYTES, Item, make_plan, whole_files


def items_of(sizes: list[int]) -> list[Item]:
    return [Item(f"{n:04}", Clip(Path(f"{n:04}.avi"), "", ""), size, "1") for n, size in enumerate(sizes)]


@given(st.lists(st.integers(0, 2**31), min_size=1, max_size=60), st.integers(1, 30), st.randoms())
def test_each_clip_is_in_one_piece_and_pieces_are_small(sizes, piece_clips, chance) -> None:
    items = items_of(sizes)
    plan = make_plan(items, {}, piece_clips=piece_clips)
    planned = [item for piece in plan.pieces for item in piece.items]
    assert sorted(item.name for item in planned) == [item.name for item in items]
    assert [item.size_bytes for item in planned] == sorted(sizes, reverse=True)
    for piece in plan.pieces:
        assert 1 <= len(piece) <= piece_clips
        assert len(piece) == 1 or sum(item.size_bytes for item in piece.items) <= PIECE_BYTES
        for batch in piece.batches:
            assert 1 <= len(batch) <= BATCH_CLIPS
            assert len(batch) == 1 or sum(item.size_bytes for item in batch) <= BATCH_BYTES
    # Neither the order in which clips are named nor the moment makes another plan.
    chance.shuffle(items)
    assert make_plan(items, {}, piece_clips=piece_clips) == plan


def test_a_plan_is_another_when_anything_is(tmp_path: Path) -> None:
    for name in "abc":
        (tmp_path / f"{name}.avi").write_bytes(b"1234")
        os.utime(tmp_path / f"{name}.avi", ns=(1, 1))

    def hash_of(*about: object, piece_clips: int = 2) -> str:
        items = [Item.of(clip, name=clip.path.name) for clip in whole_files(sorted(tmp_path.iterdir()))]
        return make_plan(items, {"about": list(about)}, piece_clips=piece_clips).hash

    hashes = [hash_of(), hash_of("other"), hash_of(piece_clips=3)]
    os.utime(tmp_path / "b.avi", ns=(1, 2))
    hashes.append(hash_of())
    (tmp_path / "b.avi").write_bytes(b"12345")
    os.utime(tmp_path / "b.avi", ns=(1, 2))
    hashes.append(hash_of())
    (tmp_path / "c.avi").rename(tmp_path / "d.avi")
    hashes.append(hash_of())
    assert len(set(hashes)) == len(hashes)
    assert hash_of() == hashes[-1]


def test_a_million_clips_make_files_of_a_thousand() -> None:
    assert len(make_plan(items_of([1000] * 2000), {}).pieces) == 63
    assert max(map(len, make_plan(items_of([1000] * 100_000), {}).pieces)) == 1000


def test_names_are_given_once() -> None:
    items = items_of([1, 2])
    with pytest.raises(UserError, match="two clips are called 0001"):
        make_plan([*items, items[1]], {})

"""Clips that look alike, where nothing else tells what they were cut from."""

import csv
import json
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from rich.console import Console
from tests.helpers.clips import tiny_recipe

from muybridge import api
from muybridge.checking.look_alike import LARGE_CLIPS, Link, _clusters, find_look_alikes
from muybridge.dataset.layouts import read_catalog
from muybridge.dataset.protocols import make_split
from muybridge.recipes.cache import CacheConfig

QUIET = Console(quiet=True)


def film(path: Path, *, scene: int, person: int) -> None:
    """A patch that moves over a backdrop of large random fields: one backdrop for each scene."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fields = np.random.default_rng(scene).integers(0, 255, (6, 8, 3), dtype=np.uint8)
    backdrop = cv2.resize(fields, (160, 120), interpolation=cv2.INTER_CUBIC)
    colour = np.random.default_rng(1000 + person).integers(0, 255, 3)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = 160, 120, "yuv420p", 2_000_000
        for number in range(8):
            image = backdrop.copy()
            left = 10 + 12 * number
            image[40:80, left : left + 20] = colour
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())


@pytest.fixture(scope="module")
def clips(tmp_path_factory) -> Path:
    """24 clips of 12 scenes under names that tell nothing; the two of a scene are of different people."""
    folder = tmp_path_factory.mktemp("alike")
    order = np.random.default_rng(0).permutation(24)
    for number, place in enumerate(order):
        scene = int(place) // 2
        film(folder / ("walk" if scene < 6 else "run") / f"clip{number:04}.mp4", scene=scene, person=int(place))
    (folder / "scenes.json").write_text(json.dumps({f"clip{n:04}": int(p) // 2 for n, p in enumerate(order)}))
    return folder


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("MUYBRIDGE_CACHE", str(tmp_path / "cache"))


def test_the_clips_of_a_scene_are_found_and_no_others(clips):
    scene_of = json.loads((clips / "scenes.json").read_text())
    found = find_look_alikes(read_catalog(clips).clips, cache=CacheConfig())
    assert len(found.clusters) == 12
    assert all(len({scene_of[clip.path.stem] for clip in cluster}) == 1 for cluster in found.clusters)


def test_check_counts_twins_and_proposes_groups(clips, tmp_path):
    result = api.check(clips, out=tmp_path / "out", console=QUIET)
    text = str(result)
    assert "look-alikes: 24 of 24 clips, in 12 groups" in text
    assert "leak unknown" in text
    saved = json.loads((tmp_path / "out" / "check.json").read_text())["look_alikes"]
    split = make_split(read_catalog(clips))
    scene_of = json.loads((clips / "scenes.json").read_text())
    fitted = {scene_of[Path(id).stem] for id in (*split.train, *split.validation)}
    assert saved["test_clips_with_a_look_alike_in_train"] == sum(scene_of[Path(id).stem] in fitted for id in split.test)
    assert saved["test_clips_with_a_look_alike_in_train"] > 0
    with (tmp_path / "out" / "check.csv").open(newline="") as file:
        groups = {row["id"]: row["look_alike_group"] for row in csv.DictReader(file)}
    assert len(set(groups.values())) == 12


def test_a_training_keeps_look_alikes_together_and_claims_no_more(clips, tmp_path):
    recipe = tiny_recipe("--training.epochs", "1", "--data.groups", "look-alike")
    result = api.train(clips, recipe, run=tmp_path / "run", console=QUIET)
    scene_of = json.loads((clips / "scenes.json").read_text())
    split = json.loads((tmp_path / "run" / "split.json").read_text())
    scenes = {part: {scene_of[Path(clip["path"]).stem] for clip in split[part]} for part in ("train", "test")}
    assert not scenes["train"] & scenes["test"]
    assert "unknown but for look-alikes" in result.evaluation.leak
    assert result.evaluation.groups_known is False
    assert api.check(clips, groups="look-alike", out=tmp_path / "out", console=QUIET).report.look_alikes is None


def test_a_clip_that_does_not_decode_is_alone(clips, tmp_path):
    catalog = read_catalog(clips)
    (tmp_path / "data" / "walk").mkdir(parents=True)
    (tmp_path / "data" / "walk" / "broken.mp4").write_bytes(b"none")
    broken = read_catalog(tmp_path / "data").clips
    found = find_look_alikes((*catalog.clips, *broken), cache=CacheConfig())
    assert (found.unseen, len(found.clusters)) == (1, 12)


def test_parts_of_a_file_are_alike_whatever_they_show(tmp_path, clips):
    file = next(clips.rglob("*.mp4"))
    (tmp_path / "c.csv").write_text(f"path,label,start,end\n{file},a,0,0.3\n{file},b,0.3,0.8\n")
    found = find_look_alikes(read_catalog(tmp_path / "c.csv").clips, cache=CacheConfig())
    assert len(found.clusters) == 1


def test_a_chain_is_cut_where_it_is_least_alike():
    count = 4 * LARGE_CLIPS
    near = [Link(n, n + 1, 10.0) for n in range(count - 1) if (n + 1) % 5]
    far = [Link(n, n + 1, 40.0) for n in range(count - 1) if not (n + 1) % 5]
    cluster_of, cut, whole = _clusters(count, [*near, *far])
    assert (cut, whole) == (count, 0)
    assert len(set(cluster_of)) == count // 5
    assert _clusters(count, near)[1:] == (0, 0)


def test_a_cluster_of_one_picture_stays_whole_and_is_told():
    count = 2 * LARGE_CLIPS
    cluster_of, cut, whole = _clusters(count, [Link(0, n, 1.0) for n in range(1, count)])
    assert (set(cluster_of), cut, whole) == ({0}, 0, count)

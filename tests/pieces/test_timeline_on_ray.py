"""A long video on a real Ray cluster of this machine, of which processes are killed."""

import json
from pathlib import Path

import numpy as np
import pytest
from tests.helpers.long_videos import write_long
from tests.verbs.timeline.conftest import probe_run
from tests.verbs.timeline.test_timeline import RULES, spans

from muybridge import api
from muybridge.inference.timeline import spans as spans_module

pytest.importorskip("ray.data", reason="needs pip install 'muybridge[ray]'")

from tests.pieces.test_on_ray import Killer, cluster

__all__ = ["cluster", "probe_run"]


def test_the_segments_are_those_of_one_process_though_workers_are_killed(
    probe_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spans_module, "MOST_SPAN_FRAMES", 24)
    monkeypatch.setattr(spans_module, "_LEAST_LEADS", 1)
    videos = [write_long(tmp_path / "a.mp4", seed=1), write_long(tmp_path / "b.mp4", parts=("bright",), seed=2)]
    videos.append(tmp_path / "none.mp4")
    videos[-1].write_text("no video")
    here = api.timeline(probe_run, videos, rules=RULES, out=tmp_path / "here", formats=["json"])
    killer = Killer("_Worker")
    given = {"rules": RULES, "formats": ["json"], "on": "ray", "device": "cpu"}
    there = api.timeline(probe_run, videos, out=tmp_path / "there", **given)
    assert killer.join()
    assert [spans(each) for each in there.timelines] == [spans(each) for each in here.timelines]
    assert [len(each.segments) for each in there.timelines] == [4, 1, 0]
    assert there.timelines[2].error
    for stem in "ab":
        (line, one), (other, two) = (
            (tmp_path / folder / f"{stem}.scores").read_bytes().split(b"\n", 1) for folder in ("here", "there")
        )
        assert json.loads(line) == json.loads(other)
        np.testing.assert_allclose(np.frombuffer(two, "<f4"), np.frombuffer(one, "<f4"), atol=1e-5)

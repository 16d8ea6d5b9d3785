"""The same job on a real Ray cluster of this machine, of which processes are killed."""

import os
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.helpers.clips import TINY
from tests.helpers.descendants import descendants
from tests.helpers.many_files import rows_in

from muybridge import UserError, api
from muybridge.pieces.planning import Item, make_plan, whole_files
from muybridge.pieces.ray_run import run_on_ray
from muybridge.recipes.store import parse_recipe

ray = pytest.importorskip("ray", reason="needs pip install 'muybridge[ray]'")
pytest.importorskip("ray.data", reason="needs pip install 'muybridge[ray]'")


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[None]:
    # The GPU is Ray's belief alone: what is asked for one computes on the processor.
    ray.init(num_cpus=2, num_gpus=1, include_dashboard=False, logging_level="ERROR", log_to_driver=False)
    yield
    ray.shutdown()


class Killer:
    """Kills an actor of each of some kinds as soon as there is one."""

    def __init__(self, *kinds: str) -> None:
        self.killed: set[str] = set()
        self._kinds = set(kinds)
        self._thread = threading.Thread(target=self._kill, daemon=True)
        self._thread.start()

    def _kill(self) -> None:
        while self._kinds - self.killed:
            for process, title in descendants(os.getpid()):
                for kind in self._kinds - self.killed:
                    if kind in title:
                        os.kill(process, signal.SIGKILL)
                        self.killed.add(kind)
            time.sleep(0.02)

    def join(self) -> bool:
        """Whether all were killed."""
        self._thread.join(1)
        return self.killed == self._kinds


@pytest.mark.parametrize(("device", "kinds"), [("cpu", ["_Worker"]), ("auto", ["_Computer", "_Decoder"])])
def test_the_rows_are_those_of_one_process_though_actors_are_killed(
    many: Path, tiny_run: Path, undisturbed: Path, tmp_path: Path, device: str, kinds: list[str]
) -> None:
    out = tmp_path / "out"
    shutil.copytree(undisturbed, out)  # as of a job of one process that was killed: a few parts are there
    for part in sorted(out.glob("*"))[:-3]:
        part.unlink() if part.name.startswith("part") else None
    (out / "_SUCCESS").unlink()
    there = len(list(out.glob("part-*")))
    assert 0 < there < 8
    killer = Killer(*kinds)
    result = api.predict_many(tiny_run, [many], out, on="ray", part_clips=6, device=device)
    assert killer.join()
    assert (result.kept, result.undecodable) == (there, 3)
    expected = rows_in(undisturbed)
    found = rows_in(out)
    assert [row["clip"] for row in found] == [row["clip"] for row in expected]
    for row, other in zip(found, expected, strict=True):
        assert (row["label"], row["error"]) == (other["label"], other["error"])
        if row["error"] is None:
            assert row["probabilities"] == pytest.approx(other["probabilities"], abs=1e-6)


def test_features_are_those_of_one_process(clips: Path, tmp_path: Path) -> None:
    still = {"zoom": 0, "flip": False, "rotation_degrees": 0, "shift": 0, "brightness": 0}
    values = {
        **TINY,
        "model": {"width": 0.25, "weights": "none", "trainable": "none", "head": "probe"},
        "augment": still,
    }
    recipe = parse_recipe({**values, "sampler": {"frames": 4, "jitter": 1}}, source="still")
    api.encode(recipe, clips, tmp_path / "local", part_clips=8, device="cpu")
    api.encode(recipe, clips, tmp_path / "ray", part_clips=8, device="cpu", on="ray")
    for row, other in zip(rows_in(tmp_path / "ray"), rows_in(tmp_path / "local"), strict=True):
        assert row.pop("features") == pytest.approx(other.pop("features"), abs=1e-2)
        assert row == other


def refuse(device: str) -> None:
    """Work that a machine cannot do."""
    raise UserError("the model is not here; copy it there again")


def test_what_a_worker_refuses_is_said_in_a_line(many: Path) -> None:
    clips = whole_files(sorted(many.iterdir()))
    plan = make_plan([Item.of(clip, name=clip.path.name) for clip in clips], {"kind": "nothing"}, piece_clips=20)
    with pytest.raises(UserError, match=r"^the model is not here; copy it there again$"):
        list(run_on_ray(plan.pieces, refuse, device="cpu", threads=1))

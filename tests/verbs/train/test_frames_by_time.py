"""A training on frames by time and cropped pictures, from the command line to an answer."""

import numpy as np
from tests.helpers.clips import tiny_recipe
from tests.helpers.commands import run

import muybridge
from muybridge.recipes.store import load_recipe, save_recipe
from muybridge.video.decoding import iterate_frames
from muybridge.video.sampling import DenseSampler


def test_a_run_keeps_its_rate_and_its_fit(clips, tmp_path, capsys):
    recipe = tmp_path / "tiny.yaml"
    save_recipe(recipe, tiny_recipe())
    flags = ("--sampler.kind", "dense", "--sampler.frames-per-second", "10", "--fit", "crop", "--epochs", "1")
    code, _, err = run("train", clips, "--recipe", recipe, "--run", tmp_path / "run", *flags, capsys=capsys)
    assert code == 0, err
    kept = load_recipe(str(tmp_path / "run" / "recipe.yaml"))
    assert (kept.fit, kept.sampler.frames_per_second) == ("crop", 10)
    model = muybridge.load(tmp_path / "run")
    assert (model.fit, model.sampler) == ("crop", DenseSampler(frames=4, frames_per_second=10))
    # 12 frames at 25 a second, and the same pictures each twice at 50.
    video = sorted(clips.rglob("*.avi"))[0]
    frames_THWC = np.stack([frame.image_HWC for frame in iterate_frames(video)])
    expected = model.predict(video).ranking
    assert model.predict(frames_THWC, frames_per_second=25).ranking == expected
    assert model.predict(frames_THWC.repeat(2, axis=0), frames_per_second=50).ranking == expected
    assert "4 dense (10 a second, cropped) frames of 32 px" in (tmp_path / "run" / "report.html").read_text("utf-8")

    code, _, err = run("train", clips, "--recipe", recipe, "--sampler.frames-per-second", "10", capsys=capsys)
    assert code == 2
    assert "--sampler.kind uniform spreads its frames" in err

import json

import numpy as np
import pytest
import torch
from tests.helpers.clips import write_clip
from tests.video.conftest import write_video

from muybridge.dataset.catalog import Clip
from muybridge.errors import UserError, VideoError
from muybridge.inference.probabilities import vote
from muybridge.inference.recognizer import BATCH_CLIPS, Recognizer
from muybridge.inference.views import Views
from muybridge.models.network import build
from muybridge.recipes.model import ModelConfig
from muybridge.video.decoding import iterate_frames, read_sampled
from muybridge.video.sampling import DenseSampler, EverySampler, SlidingSampler, UniformSampler

SAMPLERS = [
    UniformSampler(frames=4),
    EverySampler(every=3, policy="shorter"),
    SlidingSampler(frames=4, stride=2, hop=3),
]


def make(sampler=SAMPLERS[0], **options) -> Recognizer:
    torch.manual_seed(0)
    net = build(ModelConfig(width=0.25, weights="none", head_widths=(8,), dense_widths=(16,)), 3)
    return Recognizer(net, classes=["a", "b", "c"], sampler=sampler, size_px=32, device="cpu", **options)


@pytest.fixture
def video(tmp_path):
    write_clip(tmp_path / "v.avi", level=120, seed=1, frames=17)
    return tmp_path / "v.avi"


@pytest.mark.parametrize("sampler", SAMPLERS, ids=lambda sampler: sampler.kind)
def test_several_views_are_the_mean_of_their_probabilities(video, sampler):
    recognizer = make(sampler)
    sampled = read_sampled(video, sampler, views=3, size_px=32)
    with torch.inference_mode():
        alone = [
            recognizer.net(torch.from_numpy(sampled.frames_THWC[view][None])).softmax(1)[0].numpy()
            for view in sampled.views
        ]
    assert len(alone) == 3
    scores = dict(recognizer.predict(video, views=Views(times=3)).ranking)
    np.testing.assert_allclose([scores[name] for name in "abc"], np.mean(alone, axis=0), atol=1e-6)


@pytest.mark.parametrize("sampler", SAMPLERS, ids=lambda sampler: sampler.kind)
def test_a_saved_recognizer_says_the_same(video, tmp_path, sampler):
    recognizer = make(sampler)
    recognizer.save(tmp_path / "model")
    loaded = Recognizer.load(tmp_path / "model", device="cpu")
    assert loaded.sampler == sampler
    assert loaded.predict(video).ranking == recognizer.predict(video).ranking


def test_a_model_keeps_how_pictures_become_squares(tmp_path):
    write_video(tmp_path / "wide.mp4", frames=12, width_px=96, height_px=48)
    cropping, squashing = make(fit="crop"), make()
    cropping.save(tmp_path / "model")
    loaded = Recognizer.load(tmp_path / "model", device="cpu")
    assert (loaded.fit, cropping.reading, squashing.fit) == ("crop", loaded.reading, "squash")
    assert squashing.reading != loaded.reading
    sampled = read_sampled(tmp_path / "wide.mp4", loaded.sampler, size_px=32, fit="crop")
    with torch.inference_mode():
        expected = loaded.net(torch.from_numpy(sampled.frames_THWC[sampled.views[0]][None])).softmax(1)[0].numpy()
    for video in (tmp_path / "wide.mp4", decoded(tmp_path / "wide.mp4")):
        scores = dict(loaded.predict(video).ranking)
        np.testing.assert_allclose([scores[name] for name in "abc"], expected, atol=1e-6)
        assert scores != dict(squashing.predict(video).ranking)
    # Views are cut out of a larger square of the same kind.
    [left, middle, right] = loaded.read(Clip(tmp_path / "wide.mp4", "a", "g"), views=Views(crops=3))
    larger = read_sampled(tmp_path / "wide.mp4", loaded.sampler, size_px=37, fit="crop")
    frames_THWC = larger.frames_THWC[larger.views[0]]
    for view, start in ((left, 0), (middle, 2), (right, 5)):
        np.testing.assert_array_equal(view, frames_THWC[:, 2:34, start : start + 32])


def test_a_model_saved_before_there_was_a_choice_squashes_and_counts(video, tmp_path):
    recognizer = make(DenseSampler(frames=4))
    recognizer.save(tmp_path / "model")
    path = tmp_path / "model" / "model.json"
    saved = json.loads(path.read_text())
    del saved["preprocessing"]["fit"], saved["checksum"]
    assert "frames_per_second" not in saved["preprocessing"]["sampler"]
    path.write_text(json.dumps(saved))
    loaded = Recognizer.load(tmp_path / "model", device="cpu")
    assert loaded.fit == "squash"
    assert loaded.predict(video).ranking == recognizer.predict(video).ranking
    path.write_text(json.dumps(saved | {"preprocessing": saved["preprocessing"] | {"fit": "fill"}}))
    with pytest.raises(UserError, match="'fill' - at `fit`"):
        Recognizer.load(tmp_path / "model", device="cpu")


def test_a_model_by_time_sees_the_same_at_another_rate(video, tmp_path):
    make(DenseSampler(frames=4, frames_per_second=10)).save(tmp_path / "model")
    recognizer = Recognizer.load(tmp_path / "model", device="cpu")
    expected = recognizer.predict(video).ranking
    frames_THWC = decoded(video)
    assert recognizer.predict(frames_THWC, frames_per_second=25).ranking == expected
    assert recognizer.predict(frames_THWC.repeat(2, axis=0), frames_per_second=50).ranking == expected
    assert recognizer.predict(frames_THWC, frames_per_second=50).ranking != expected
    with pytest.raises(UserError, match=r"video: the sampler takes frames by time .*set frames_per_second"):
        recognizer.predict(frames_THWC)


@pytest.mark.parametrize("combine", ["mean", "vote"])
def test_all_windows_of_a_clip_are_combined(video, tmp_path, combine):
    recognizer = make(SAMPLERS[2], windows="all", combine=combine)
    sampled = read_sampled(video, recognizer.sampler, views=None, size_px=32)
    assert len(sampled.views) == 5  # of 17 frames: 0-6, 3-9, 6-12, 9-15, 10-16
    with torch.inference_mode():
        alone_VK = recognizer.net(torch.from_numpy(sampled.frames_THWC[np.array(sampled.views)])).double().softmax(1)
    expected = vote(alone_VK.numpy()) if combine == "vote" else alone_VK.numpy().mean(axis=0)
    recognizer.save(tmp_path / "model")
    for each in (recognizer, Recognizer.load(tmp_path / "model", device="cpu")):
        scores = dict(each.predict(video).ranking)
        np.testing.assert_allclose([scores[name] for name in "abc"], expected, atol=1e-6)


def test_many_files_come_in_order_with_their_errors(tmp_path):
    paths = []
    for number in range(7):
        write_clip(tmp_path / f"{number}.avi", level=30 * number, seed=number)
        paths.append(tmp_path / f"{number}.avi")
    paths.insert(3, tmp_path / "gone.avi")
    recognizer = make()
    found = list(recognizer.predict_files(paths, workers=3))
    assert [prediction.path for prediction in found] == paths
    assert [prediction.error is None for prediction in found] == [True] * 3 + [False] + [True] * 4
    for prediction in found:
        if prediction.error is None:
            # Computed several at a time, sums may be in another order.
            alone = dict(recognizer.predict(prediction.path).ranking)
            assert dict(prediction.ranking) == pytest.approx(alone, abs=1e-6)


def test_a_part_of_a_file(tmp_path):
    write_clip(tmp_path / "long.avi", level=100, seed=3, frames=50)
    recognizer = make()
    whole, part = (
        next(iter(recognizer.predict_clips([Clip(tmp_path / "long.avi", "a", "g", None, start, end)])))
        for start, end in ((None, None), (0.5, 1.0))
    )
    assert not np.array_equal(whole.probabilities, part.probabilities)


def test_errors(tmp_path):
    with pytest.raises(VideoError, match=r"gone\.avi"):
        make().predict(tmp_path / "gone.avi")


@pytest.mark.parametrize("combine", ["mean", "vote"])
@pytest.mark.parametrize("views", [Views(crops=3), Views(times=2, crops=5, flip=True), Views(flip=True)])
def test_crops_and_mirror_images_are_combined(video, combine, views):
    recognizer = make(combine=combine)
    size_px = 37 if views.crops > 1 else 32  # 32 * 256 / 224
    sampled = read_sampled(video, recognizer.sampler, views=views.times or 1, size_px=size_px)
    places = {1: [(0, 0)], 3: [(2, 0), (2, 2), (2, 5)], 5: [(0, 0), (0, 5), (2, 2), (5, 0), (5, 5)]}[views.crops]
    cut = [
        sampled.frames_THWC[view][:, top : top + 32, left : left + 32] for view in sampled.views for top, left in places
    ]
    cut += [frames[:, :, ::-1].copy() for frames in cut] if views.flip else []
    with torch.inference_mode():
        alone_VK = recognizer.net(torch.from_numpy(np.stack(cut))).double().softmax(1).numpy()
    expected = vote(alone_VK) if combine == "vote" else alone_VK.mean(axis=0)
    scores = dict(recognizer.predict(video, views=views).ranking)
    np.testing.assert_allclose([scores[name] for name in "abc"], expected, atol=1e-6)
    assert scores != dict(recognizer.predict(video).ranking)


def test_sides_forbid_mirror_images(video, tmp_path):
    named = make(no_flip_classes=("b",))
    named.save(tmp_path / "model")
    for recognizer in (named, Recognizer.load(tmp_path / "model", device="cpu")):
        assert recognizer.sided_classes == ("b",)
        with pytest.raises(UserError, match=r"views.flip .* class b"):
            recognizer.predict(video, views=Views(flip=True))
        assert recognizer.predict(video, views=Views(crops=3)).ranking
    sided = Recognizer(named.net, classes=["wave_left", "x", "y"], sampler=SAMPLERS[0], size_px=32, device="cpu")
    with pytest.raises(UserError, match="wave_left"):
        next(iter(sided.predict_files([video], views=Views(flip=True))))


def test_clips_computed_together_score_as_alone(tmp_path):
    """More clips than go into one batch, of different lengths and with all their windows, one undecodable."""
    paths = []
    for number in range(2 * BATCH_CLIPS + 3):
        paths.append(tmp_path / f"{number}.avi")
        write_clip(paths[-1], level=10 * number, seed=number, frames=5 + number % 4)
    paths[BATCH_CLIPS].write_bytes(b"no video")
    for recognizer in (make(SAMPLERS[1]), make(SAMPLERS[2], windows="all")):
        for path, found in zip(paths, recognizer.predict_files(paths), strict=True):
            assert found.path == path
            if path == paths[BATCH_CLIPS]:
                assert found.error
                continue
            alone = dict(recognizer.predict(path).ranking)
            assert dict(found.ranking) == pytest.approx(alone, abs=1e-6)


def decoded(video) -> np.ndarray:
    return np.stack([frame.image_HWC for frame in iterate_frames(video)])


@pytest.mark.parametrize("views", [Views(), Views(times=2, crops=3, flip=True)], ids=Views.describe)
@pytest.mark.parametrize("sampler", SAMPLERS, ids=lambda sampler: sampler.kind)
def test_a_file_and_its_frames_have_the_same_answer(video, sampler, views):
    recognizer = make(sampler, windows="all" if sampler.kind == "sliding" else "one")
    expected = recognizer.predict(video, views=views)
    frames_THWC = decoded(video)
    for frames in (frames_THWC, torch.from_numpy(frames_THWC)):
        found = recognizer.predict(frames, views=views)
        assert found.ranking == expected.ranking
        assert found.path is None


def test_a_part_of_a_video_has_the_answer_of_its_frames(video):
    recognizer, frames_THWC = make(), decoded(video)
    part = {"start_seconds": 0.2, "end_seconds": 0.4}
    expected = recognizer.predict(frames_THWC[5:10])
    assert recognizer.predict(video, **part).ranking == expected.ranking
    assert recognizer.predict(frames_THWC, frames_per_second=25, **part).ranking == expected.ranking
    assert expected.ranking != recognizer.predict(video).ranking
    with pytest.raises(UserError, match="set frames_per_second"):
        recognizer.predict(frames_THWC, **part)


def test_a_list_has_a_list_of_answers(video, tmp_path):
    recognizer, frames_THWC = make(), decoded(video)
    (tmp_path / "bad.avi").write_bytes(b"nothing")
    found = recognizer.predict([video, str(video), frames_THWC, torch.from_numpy(frames_THWC), tmp_path / "bad.avi"])
    assert [prediction.path for prediction in found] == [video, video, None, None, tmp_path / "bad.avi"]
    alone = dict(recognizer.predict(video).ranking)
    for prediction in found[:4]:
        for name, score in prediction.ranking:
            assert score == pytest.approx(alone[name], abs=1e-6)
    assert found[4].error
    with pytest.raises(UserError, match=r"no answer for .*bad\.avi"):
        _ = found[4].label
    assert [prediction.path for prediction in recognizer.predict((video,))] == [video]
    assert recognizer.predict([]) == []


def test_what_is_no_video_at_all(video):
    recognizer = make()
    for wrong, message in [
        (None, "video is a NoneType"),
        (3, "video is a int"),
        (iter([video]), "video is a list_iterator"),
        ([video, None], r"video\[1\] is a NoneType"),
        (torch.zeros(4, 8, 8, 3), "video: the values are float32"),
        ([np.zeros((8, 8, 3), np.uint8)], r"video\[0\]: the shape 8 x 8 x 3 is one picture"),
    ]:
        with pytest.raises(UserError, match=message):
            recognizer.predict(wrong)

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.helpers.clips import write_clip

import muybridge
from muybridge.dataset.catalog import Clip
from muybridge.errors import UserError, VideoError
from muybridge.inference import recognizer as recognizer_module
from muybridge.inference.combining import RULES, Combination, combine_predictions
from muybridge.inference.ensemble import Ensemble
from muybridge.inference.predictions import Predictions
from muybridge.inference.recognizer import Recognizer
from muybridge.inference.views import Views
from muybridge.models.network import build
from muybridge.recipes.model import ModelConfig
from muybridge.video.decoding import iterate_frames
from muybridge.video.sampler import Sampler
from muybridge.video.sampling import EverySampler, UniformSampler


def member(
    seed: int, *, classes: str = "abc", sampler: Sampler | None = None, size_px: int = 32, encoder: str = "mobilenet"
) -> Recognizer:
    torch.manual_seed(seed)
    width = {"width": 0.25} if encoder == "mobilenet" else {}
    net = build(ModelConfig(encoder=encoder, weights="none", head_widths=(8,), dense_widths=(), **width), len(classes))
    for parameter in net.parameters():  # so that they disagree
        parameter.data *= 1.5
    sampler = sampler or UniformSampler(frames=4)
    return Recognizer(net, classes=list(classes), sampler=sampler, size_px=size_px, device="cpu")


def mixed() -> dict[str, Recognizer]:
    """Members that differ in everything that they may differ in."""
    return {
        "one": member(0),
        "two": member(1, classes="cab", sampler=EverySampler(every=3, policy="shorter"), size_px=48),
        "three": member(2, classes="bca", encoder="small"),
    }


@pytest.fixture
def videos(tmp_path: Path) -> list[Path]:
    for number in range(4):
        write_clip(tmp_path / f"{number}.avi", level=40 + 50 * number, seed=number)
    return [tmp_path / f"{number}.avi" for number in range(4)]


@pytest.mark.parametrize("rule", RULES)
def test_the_answer_is_the_members_answers_combined_by_hand(videos, tmp_path, rule):
    members = mixed()
    weights = (0.2, 0.3, 0.5) if rule == "weighted" else (1 / 3,) * 3
    combination = Combination(rule, weights, (0.5, 1.0, 2.0))
    ensemble = Ensemble(members, combination)
    ensemble.save(tmp_path / "model")
    loaded = muybridge.load(tmp_path / "model", device="cpu")
    assert isinstance(loaded, Ensemble)
    assert loaded.combination == combination
    assert [m.sampler for m in loaded.members.values()] == [m.sampler for m in members.values()]
    for video in videos:
        by_name = [dict(m.predict(video).ranking) for m in members.values()]
        expected_K = combination(np.array([[scores[name] for name in "abc"] for scores in by_name]))
        for model in (ensemble, loaded):
            ranking = model.predict(video).ranking
            assert [name for name, _ in ranking] == ["abc"[k] for k in np.argsort(-expected_K, kind="stable")]
            np.testing.assert_array_equal([dict(ranking)[name] for name in "abc"], expected_K)


def test_members_and_ensemble_agree_on_many_clips(videos):
    clips = [Clip(path, "abca"[number], f"g{number}") for number, path in enumerate(videos)]
    ensemble = Ensemble(mixed(), Combination.equal(3, rule="logits"))
    columns = zip(*ensemble.predict_members(clips), strict=True)
    members = [Predictions(ensemble.classes, tuple(column)) for column in columns]
    together = Predictions(ensemble.classes, tuple(ensemble.predict_clips(clips)))
    by_hand = combine_predictions(members, ensemble.combination)
    np.testing.assert_array_equal(by_hand.probabilities_NK, together.probabilities_NK)
    assert [clip.group for clip in together.clips] == ["g0", "g1", "g2", "g3"]
    alone = Predictions(tuple("cab"), tuple(ensemble.members["two"].predict_clips(clips)))
    # Alone it computes several clips at a time, so its sums may be in another order.
    np.testing.assert_allclose(members[1].probabilities_NK, alone.probabilities_NK[:, [1, 2, 0]], atol=1e-6)


def test_a_file_is_decoded_once_for_members_that_see_the_same_frames(videos, monkeypatch):
    decoded: Counter[tuple[str, int]] = Counter()
    original = recognizer_module.read_sampled

    def counting(path, sampler, *, size_px, **options):
        decoded[path.name, size_px] += 1
        return original(path, sampler, size_px=size_px, **options)

    monkeypatch.setattr(recognizer_module, "read_sampled", counting)
    list(Ensemble(mixed(), Combination.equal(3)).predict_files(videos))
    assert decoded == {(path.name, size_px): 1 for path in videos for size_px in (32, 48)}


def test_views_reach_every_member(videos):
    members = mixed()
    found = dict(Ensemble(members, Combination.equal(3)).predict(videos[0], views=Views(times=2)).ranking)
    by_hand = [dict(m.predict(videos[0], views=Views(times=2)).ranking) for m in members.values()]
    assert found["a"] == pytest.approx(np.mean([scores["a"] for scores in by_hand]))


def test_crops_are_cut_for_every_members_size(videos):
    views = Views(crops=3, flip=True)
    members = mixed()
    found = dict(Ensemble(members, Combination.equal(3)).predict(videos[0], views=views).ranking)
    by_hand = [dict(m.predict(videos[0], views=views).ranking) for m in members.values()]
    assert found["a"] == pytest.approx(np.mean([scores["a"] for scores in by_hand]))


def test_sides_of_one_member_hold_for_all(videos):
    sided = member(1)
    sided.sided_classes = ("c",)
    ensemble = Ensemble({"one": sided, "two": member(2)}, Combination.equal(2))
    with pytest.raises(UserError, match=r"views.flip .* class c"):
        ensemble.predict(videos[0], views=Views(flip=True))


def test_a_file_that_one_member_cannot_read(videos):
    strict = member(1, sampler=UniformSampler(frames=50, policy="error"))  # the clips have 12 frames
    ensemble = Ensemble({"one": member(0), "strict": strict}, Combination.equal(2))
    [found] = ensemble.predict_files(videos[:1])
    assert "50" in found.error
    with pytest.raises(VideoError, match=videos[0].name):
        ensemble.predict(videos[0])
    [(one, failed)] = ensemble.predict_members([Clip(videos[0], "a", "g")])
    assert one.error is None
    assert failed.error == found.error


def test_errors_come_in_order(videos, tmp_path):
    paths = [videos[0], tmp_path / "gone.avi", videos[1]]
    found = list(Ensemble(mixed(), Combination.equal(3)).predict_files(paths))
    assert [prediction.path for prediction in found] == paths
    assert [prediction.error is None for prediction in found] == [True, False, True]


def test_members_must_have_the_same_classes():
    with pytest.raises(UserError, match=r"only one has: c; only two has: d, e$"):
        Ensemble({"one": member(0), "two": member(1, classes="dabe")}, Combination.equal(2))
    with pytest.raises(ValueError, match="1 members, but the combination is for 2"):
        Ensemble({"one": member(0)}, Combination.equal(2))


def edit(change):
    def damage(folder: Path) -> None:
        path = folder / "model.json"
        content = json.loads(path.read_text())
        change(content)
        path.write_text(json.dumps(content))

    return damage


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "model.json").unlink(), "holds no trained model"),
        (lambda folder: (folder / "model.json").write_text("{"), "model.json"),
        (lambda folder: (folder / "members" / "two" / "model.json").unlink(), "copy the whole folder"),
        (lambda folder: (folder / "members" / "two" / "model.safetensors").unlink(), r"no model\.safetensors"),
        (lambda folder: (folder / "members" / "two" / "model.safetensors").write_bytes(b"x"), "does not belong"),
        (lambda folder: (folder / "members" / "one").rename(folder / "members" / "1"), "copy the whole folder"),
        (
            lambda folder: (folder / "members" / "two" / "model.json").write_bytes(
                (folder / "members" / "one" / "model.json").read_bytes()
            ),
            "is not the one that belongs",
        ),
        (edit(lambda content: content.update(format_version=9)), "update muybridge"),
        (edit(lambda content: content.update(format="zip")), "does not describe"),
        (edit(lambda content: content.pop("combination")), "damaged"),
        (edit(lambda content: content["combination"].update(weights=[1, 1, 1])), "damaged"),
        (edit(lambda content: content.update(members=[])), "damaged"),
        (edit(lambda content: content["members"].pop()), "damaged"),
        (edit(lambda content: content["members"][0].update(name="../one")), "no name of a member"),
        (edit(lambda content: content.update(classes=["c", "b", "a"])), "its classes are not those"),
    ],
)
def test_a_damaged_ensemble_is_named(tmp_path, damage, message):
    Ensemble(mixed(), Combination.equal(3)).save(tmp_path / "model")
    damage(tmp_path / "model")
    with pytest.raises(UserError, match=message):
        muybridge.load(tmp_path / "model", device="cpu")


def test_frames_have_the_answer_of_their_file(videos):
    ensemble = Ensemble(mixed(), Combination.equal(3))
    frames = [np.stack([frame.image_HWC for frame in iterate_frames(video)]) for video in videos[:2]]
    alone = [ensemble.predict(video).ranking for video in videos[:2]]
    assert [ensemble.predict(each).ranking for each in frames] == alone
    found = ensemble.predict([videos[0], frames[1]], frames_per_second=25)
    assert [prediction.ranking for prediction in found] == alone
    assert [prediction.path for prediction in found] == [videos[0], None]

import pytest
from tests.helpers.clips import tiny_recipe

from muybridge import api
from muybridge.errors import UserError
from muybridge.models.network import RecognizerNet
from muybridge.recipes.model import ModelConfig
from muybridge.recipes.store import load_recipe
from muybridge.recipes.training import TrainingConfig
from muybridge.system import available_memory, resolve_device
from muybridge.training import batch_size
from muybridge.training.batch_size import largest_batch, step_bytes

MODEL = ModelConfig(width=0.25, weights="none")


@pytest.fixture(scope="module")
def net():
    return RecognizerNet(MODEL, 3)


def choose(net, config=TrainingConfig(), **options):  # noqa: B008 - a frozen value
    return largest_batch(
        net, config, frame_count=4, size_px=64, **{"clip_count": 4000, "device": resolve_device(), **options}
    )


def test_memory_grows_in_line_with_clips_and_frames(net):
    one, two, four = (step_bytes(net, batch_size=n, frame_count=4, size_px=64) for n in (1, 2, 4))
    assert four - two == pytest.approx(2 * (two - one), rel=0.02)
    assert step_bytes(net, batch_size=2, frame_count=8, size_px=64) == pytest.approx(four, rel=0.02)
    # Of each of the encoder's 27 convolutions at least the result is kept: more than the frames by far.
    assert two - one > 10 * 4 * 64 * 64 * 3


def test_what_learns_costs_memory(net):
    frozen = RecognizerNet(ModelConfig(width=0.25, weights="none", trainable="none"), 3)
    assert step_bytes(frozen, batch_size=4, frame_count=4, size_px=64) < 0.6 * step_bytes(
        net, batch_size=4, frame_count=4, size_px=64
    )


def test_the_batch_fits_and_the_next_size_would_not(net, monkeypatch):
    one, two = (step_bytes(net, batch_size=n, frame_count=4, size_px=64) for n in (1, 2))
    for size, following in ((6, 8), (32, 48)):
        needed = one + (two - one) * (size - 1)
        monkeypatch.setattr(batch_size, "available_memory", lambda needed=needed: needed / 0.6 + 1000)
        assert choose(net)[0] == size
        assert following in batch_size.SIZES
    monkeypatch.setattr(batch_size, "available_memory", lambda: one)
    with pytest.raises(UserError, match="one clip needs"):
        choose(net)


def test_checkpointing_leaves_room_for_more_clips(net, monkeypatch):
    kept, again = (
        step_bytes(net, batch_size=4, frame_count=4, size_px=64, checkpointing=checkpointing)
        for checkpointing in (False, True)
    )
    assert again < 0.8 * kept
    monkeypatch.setattr(batch_size, "available_memory", lambda: kept / 0.6)
    assert choose(net)[0] <= 4 < choose(net, TrainingConfig(checkpointing=True))[0]


def test_few_clips_are_not_one_batch(net):
    assert choose(net, clip_count=50)[0] == 12
    assert choose(net, clip_count=3)[0] == 1


def test_memory_is_there():
    assert available_memory() > 100e6


def test_the_recipe_of_the_run_holds_the_number(clips, tmp_path):
    recipe = tiny_recipe("--batch-size", "auto", "--epochs", "1")
    assert recipe.training.batch_size == "auto"
    api.train(clips, recipe, run=tmp_path / "run")
    assert load_recipe(str(tmp_path / "run" / "recipe.yaml")).training.batch_size in (2, 3, 4)


@pytest.mark.parametrize("text", ["0", "some"])
def test_other_words_are_refused(text):
    with pytest.raises(UserError, match=r"batch.size"):
        tiny_recipe("--batch-size", text)

"""None of these: a threshold set on known clips, and what a model then says of strange ones."""

import numpy as np
import pytest
from tests.helpers.clips import tiny_recipe

from muybridge import api
from muybridge.errors import UserError
from muybridge.inference.recognizer import Recognizer
from muybridge.inference.rejection import Rejection, familiarity
from muybridge.run_schemas import Threshold
from muybridge.schemas import convert


def test_the_threshold_lets_so_many_known_clips_fall_below():
    logits_NK = np.random.default_rng(0).normal(size=(1000, 5))
    rejection = Rejection.of_known(logits_NK, false_alarms=0.05)
    assert rejection is not None
    rejected = [rejection.rejects(row[None]) for row in logits_NK]
    assert np.mean(rejected) == pytest.approx(0.05, abs=0.002)
    assert rejection.clips == 1000


def test_too_few_clips_set_no_threshold():
    logits_NK = np.random.default_rng(0).normal(size=(20, 5))
    assert Rejection.of_known(logits_NK[:19], false_alarms=0.05) is None
    rejection = Rejection.of_known(logits_NK, false_alarms=0.05)
    assert rejection is not None
    assert not any(rejection.rejects(row[None]) for row in logits_NK)
    assert rejection.rejects(logits_NK[:1] - 100)


def test_views_are_averaged_before_the_highest_is_taken():
    assert familiarity(np.array([[4.0, 0.0], [0.0, 2.0]])) == 2.0


def test_it_survives_saving_and_damage_is_told():
    rejection = Rejection(1.5, 0.05, 40)
    assert Rejection.of_values(convert(rejection.to_dict(), Threshold, where="it", hint="")) == rejection
    with pytest.raises(UserError, match="Expected `float`"):
        convert({"threshold": "high", "false_alarms": 0.05, "clips": 40}, Threshold, where="it", hint="")


@pytest.fixture(scope="module")
def run(clips, tmp_path_factory):
    run = tmp_path_factory.mktemp("rejection") / "run"
    return api.train(clips, tiny_recipe("--model.head", "probe"), run=run).run


def test_a_model_says_none_of_these_of_what_is_below_its_threshold(run, clips, tmp_path):
    model = api.load(run)
    assert isinstance(model, Recognizer)
    video = next(clips.rglob("*.avi"))
    usual = model.predict(video)
    model.rejection = Rejection(1e6, 0.05, 10)
    strange = model.predict(video)
    assert (strange.ranking, strange.none_of_these) == (usual.ranking, True)
    assert str(strange).startswith("none of these (nearest: ")
    assert "none of these; nearest: " in strange.describe(2)
    assert strange.to_dict(1)["none_of_these"] is True
    model.save(tmp_path / "model")
    assert api.load(tmp_path / "model").rejection == model.rejection


def test_it_can_be_switched_off(clips, tmp_path):
    recipe = tiny_recipe("--model.head", "probe", "--training.false-alarms", "0", "--no-refit")
    model = api.load(api.train(clips, recipe, run=tmp_path / "run").run)
    assert isinstance(model, Recognizer) and model.rejection is None

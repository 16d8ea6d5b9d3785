"""Every clip measured by a model that never saw its source, and a final model that learned from all of them."""

import csv
import hashlib
import json
import shutil

import numpy as np
import pytest
from tests.helpers.clips import tiny_recipe, write_clip, write_clips

from muybridge import api
from muybridge.dataset.split import Split
from muybridge.errors import UserError
from muybridge.evaluation.evaluation import evaluate_predictions
from muybridge.inference.predictions import Predictions
from muybridge.recipes.store import load_recipe

PROBE = ("--model.head", "probe")


@pytest.fixture(scope="module")
def folded(clips, tmp_path_factory):
    """A finished cross-validation of a probe, with its learning curve. Not to be changed."""
    run = tmp_path_factory.mktemp("folds") / "run"
    return api.train(clips, tiny_recipe(*PROBE, "--folds", "3", "--refit"), run=run, learning_curve=True)


@pytest.fixture(scope="module")
def refitted(clips, tmp_path_factory):
    """A finished training of a probe with one test part, fitted again on all clips. Not to be changed."""
    run = tmp_path_factory.mktemp("refit") / "run"
    return api.train(clips, tiny_recipe(*PROBE, "--refit"), run=run)


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_clip_is_tested_once_by_a_model_that_never_saw_its_source(folded, clips):
    files = sorted(clips.rglob("*.avi"))
    predictions = Predictions.read_csv(folded.run / "predictions.csv")
    assert sorted(clip.path for clip in predictions.clips) == sorted(map(str, files))
    tested = []
    for number in (1, 2, 3):
        split = Split.load(folded.run / "folds" / str(number) / "split.json")
        fitted = {clip.group for part in ("train", "validation") for clip in split.clips_of(part)}
        assert not fitted & {clip.group for clip in split.clips_of("test")}
        tested += split.test
    assert sorted(tested) == [clip.clip_id for clip in predictions.clips]
    assert folded.evaluation.protocol == "3 folds"
    assert folded.evaluation.leak.startswith(f"0 of {len(files)} ")
    assert folded.evaluation.top1.value > 0.7
    figures = rows(folded.run / "folds.csv")
    assert sum(int(row["correct"]) for row in figures) == folded.evaluation.top1.correct


def test_the_model_of_folds_learned_from_every_clip_and_says_so(folded, clips):
    model = json.loads((folded.run / "model" / "model.json").read_text())
    assert model["refitted"] == ["train", "validation", "test"]
    assert folded.refitted == len(list(clips.rglob("*.avi")))
    assert f"fitted again on all {folded.refitted} clips" in str(folded)
    assert not (folded.run / "refit").exists()
    page = (folded.run / "report.html").read_text()
    assert "had not seen the clips they were tested on" in page
    assert "3 folds by source" in page
    assert "Would more clips help?" in page


def test_evaluating_a_run_of_folds_gives_its_own_accuracy_again(folded, tmp_path):
    again = api.evaluate(folded.run, out=tmp_path / "again")
    # Measured from the files now, and from what was kept of them in training.
    assert again.top1.correct == folded.evaluation.top1.correct
    assert again.protocol == "3 folds"
    assert any("models of the folds" in note for note in again.notes)


def test_a_resumed_cross_validation_fits_only_what_is_missing(folded, clips, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(folded.run, run)
    kept = (run / "folds" / "1" / "model" / "model.safetensors").stat().st_mtime_ns
    for name in ("predictions.csv", "model", "report.html"):
        path = run / "folds" / "3" / name if name != "report.html" else run / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    again = api.resume(run)
    assert (run / "folds" / "1" / "model" / "model.safetensors").stat().st_mtime_ns == kept
    assert (run / "predictions.csv").read_bytes() == (folded.run / "predictions.csv").read_bytes()
    weights = "model/model.safetensors"
    assert (run / weights).read_bytes() == (folded.run / weights).read_bytes()
    assert again.evaluation.top1.correct == folded.evaluation.top1.correct


def test_the_learning_curve_grows_to_the_size_of_the_classes(folded):
    curve = rows(folded.run / "learning_curve.csv")
    assert [int(row["clips_per_class"]) for row in curve] == [1, 2, 5]
    assert all(0 <= float(row["worst"]) <= float(row["accuracy"]) <= float(row["best"]) <= 1 for row in curve)
    assert (folded.run / "learning_curve.png").is_file()
    assert folded.curve is not None and len(folded.curve) == 3


def test_a_network_that_learns_is_cross_validated_too(clips, tmp_path):
    result = api.train(clips, tiny_recipe("--folds", "2", "--epochs", "2"), run=tmp_path / "run")
    assert result.evaluation.top1.clips == len(list(clips.rglob("*.avi")))
    # A final fit of a whole network is not made unasked, so the model is one of the folds'.
    model, fold = (tmp_path / "run" / name / "model.safetensors" for name in ("model", "folds/1/model"))
    assert model.read_bytes() == fold.read_bytes()
    assert result.refitted == 0


def test_the_measured_model_stays_beside_the_final_one(refitted, tmp_path):
    run = refitted.run
    before, final = (run / name / "model.safetensors" for name in ("before_refit", "model"))
    assert before.read_bytes() != final.read_bytes()
    assert "refitted" not in json.loads((run / "before_refit" / "model.json").read_text())
    again = api.evaluate(run, out=tmp_path / "again")
    assert again.top1.correct == refitted.evaluation.top1.correct
    expected = Predictions.read_csv(run / "predictions.csv").probabilities_NK
    # The training measured on what is kept of the clips, in 16 bits; evaluate reads the files.
    given = Predictions.read_csv(tmp_path / "again" / "predictions.csv").probabilities_NK
    np.testing.assert_allclose(given, expected, atol=1e-3)


def test_clips_that_the_final_model_learned_from_are_no_test(refitted, clips, tmp_path):
    with pytest.raises(UserError, match=r"is no test; muybridge evaluate .* measures models that had not seen them"):
        api.evaluate(refitted.run, clips, out=tmp_path / "out")
    mixed = tmp_path / "mixed"
    for file in list(clips.rglob("*.avi"))[:3]:
        (mixed / file.parent.name).mkdir(parents=True, exist_ok=True)
        shutil.copy(file, mixed / file.parent.name)
    for name, level in (("dim", 70), ("bright", 180)):
        write_clip(mixed / name / f"v_{name}_g90_c01.avi", level=level, seed=99)
    evaluation = api.evaluate(refitted.run, mixed, out=tmp_path / "mixed-out")
    assert evaluation.top1.clips == 2
    assert any("left out, the model was fitted on them: 3 clips" in note for note in evaluation.notes)


def test_an_ensemble_takes_the_models_that_did_not_see_its_test_clips(refitted, clips, tmp_path):
    other = api.train(clips, tiny_recipe(*PROBE, "--seed", "1", "--no-refit"), run=tmp_path / "other")
    result = api.ensemble([refitted.run, other.run], run=tmp_path / "ensemble")
    first = tmp_path / "ensemble" / "model" / "members" / refitted.run.name / "model.safetensors"
    assert first.read_bytes() == (refitted.run / "before_refit" / "model.safetensors").read_bytes()
    assert result.test.top1.clips == refitted.evaluation.top1.clips


def test_an_official_test_part_is_never_learned_from(tmp_path):
    folder = write_clips(tmp_path / "clips", groups=4)
    table = ["path,label,group,split"]
    for file in sorted(folder.rglob("*.avi")):
        group = file.stem.rsplit("_", 1)[0]
        part = {"g01": "test", "g02": "val"}.get(group[-3:], "train")
        table.append(f"{file.relative_to(tmp_path)},{file.parent.name},{group},{part}")
    (tmp_path / "clips.csv").write_text("\n".join(table) + "\n")
    result = api.train(tmp_path / "clips.csv", tiny_recipe(*PROBE, "--refit"), run=tmp_path / "run")
    model = json.loads((result.run / "model" / "model.json").read_text())
    assert model["refitted"] == ["train", "validation"]
    assert result.refitted == 0  # what was measured is the model itself
    api.evaluate(result.run, out=tmp_path / "again")
    expected = Predictions.read_csv(result.run / "predictions.csv").probabilities_NK
    assert (Predictions.read_csv(tmp_path / "again" / "predictions.csv").probabilities_NK == expected).all()


def test_a_network_is_fitted_again_for_as_many_epochs_as_were_kept(clips, tmp_path):
    result = api.train(clips, tiny_recipe("--refit", "--epochs", "3"), run=tmp_path / "run")
    assert result.refitted == len(list(clips.rglob("*.avi")))
    assert len(result.rows) == 3
    video = next(clips.rglob("*.avi"))
    assert api.load(result.run).predict(video).label in ("dim", "bright")


def test_more_clips_join_those_of_a_run(refitted, clips, tmp_path):
    new = tmp_path / "new"
    for take in (1, 2, 3):
        write_clip(new / "middling" / f"v_middling_g0{take}_c01.avi", level=125, seed=take)
        write_clip(new / "dim" / f"v_dim_g8{take}_c01.avi", level=70, seed=50 + take)
    result = api.train(new, from_run=refitted.run, run=tmp_path / "run")
    assert api.load(result.run).classes == ("bright", "dim", "middling")
    assert len(Split.load(result.run / "split.json").clips) == len(list(clips.rglob("*.avi"))) + 6
    recipe = load_recipe(str(result.run / "recipe.yaml"))
    assert recipe == load_recipe(str(refitted.run / "recipe.yaml"))
    gone = tmp_path / "gone"
    shutil.copytree(refitted.run, gone)
    text = (gone / "split.json").read_text().replace(str(clips), str(tmp_path / "nowhere"))
    (gone / "split.json").write_text(text)
    with pytest.raises(UserError, match=r"cannot be found, for example .*nowhere.*; put them back"):
        api.train(new, from_run=gone, run=tmp_path / "other")
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--folds", "1"), "give 2 to 1000, or 0"),
        (("--folds", "3", "--protocol", "random"), "does not go with data.protocol random"),
        (("--folds", "3", "--test-groups", "g01"), "does not go with data.test_groups"),
    ],
)
def test_folds_that_make_no_sense_are_refused(flags, words):
    with pytest.raises(UserError, match=words):
        tiny_recipe(*flags)


def test_more_folds_than_sources_are_refused_before_anything_is_written(clips, tmp_path):
    with pytest.raises(UserError, match="give fewer folds than sources"):
        api.train(clips, tiny_recipe(*PROBE, "--folds", "50"), run=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_learning_curve_needs_a_probe(clips, tmp_path):
    with pytest.raises(UserError, match=r"give model\.head probe"):
        api.train(clips, tiny_recipe(), run=tmp_path / "run", learning_curve=True)
    assert not (tmp_path / "run").exists()


def test_folds_take_no_part_in_an_ensemble_and_sweeps_take_none(folded, refitted, clips, tmp_path):
    with pytest.raises(UserError, match="measured by folds"):
        api.ensemble([folded.run, refitted.run], run=tmp_path / "ensemble")


def test_one_clip_a_class_gives_a_model_and_claims_nothing(tmp_path):
    for name, level in (("dim", 70), ("bright", 180)):
        write_clip(tmp_path / "clips" / name / f"v_{name}_g01_c01.avi", level=level, seed=level)
    result = api.train(tmp_path / "clips", tiny_recipe(*PROBE), run=tmp_path / "run")
    assert result.evaluation is None
    assert "top-1" not in str(result)
    video = tmp_path / "clips" / "dim" / "v_dim_g01_c01.avi"
    assert api.load(result.run).predict(video).label == "dim"


def test_the_figures_of_folds_are_those_of_their_predictions(folded):
    predictions = Predictions.read_csv(folded.run / "predictions.csv")
    again = evaluate_predictions(predictions, protocol="3 folds", leak=None)
    assert again.top1 == folded.evaluation.top1


def test_an_export_is_judged_by_the_model_that_did_not_learn_from_the_clips(refitted, folded, tmp_path):
    validation = len(Split.load(refitted.run / "split.json").validation)
    rounded = api.export(refitted.run, to="torch", precision="bf16", out=tmp_path / "bf16", force=True)
    assert rounded.export.parity.validation_clips == validation
    final = (refitted.run / "model" / "model.safetensors").read_bytes()
    assert rounded.export.source_weights_sha256 == hashlib.sha256(final).hexdigest()
    of_folds = api.export(folded.run, to="torch", out=tmp_path / "folds")
    assert of_folds.export.parity.passed
    assert of_folds.export.parity.validation_clips == len(Split.load(folded.run / "folds/1/split.json").test)

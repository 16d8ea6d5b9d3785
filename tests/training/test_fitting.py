import shutil

import pytest
import torch
import yaml
from tests.helpers.clips import tiny_recipe
from tests.helpers.experiments import fit_run

from muybridge import api
from muybridge.dataset.split import Split
from muybridge.errors import Interrupted, UserError
from muybridge.experiment.dividing import divide
from muybridge.experiment.frame_source import frame_cache
from muybridge.experiment.prepare import new_net
from muybridge.models.heads.standardise import SMALLEST_DEVIATION
from muybridge.pipeline.loader import ClipDataset
from muybridge.runs import RunFolder

FLAGS = ["--epochs", "3", "--training.learning-rate", "1e-4"]


def epoch_of(checkpoint) -> int:
    return torch.load(checkpoint, weights_only=True)["epoch"] + 1


@pytest.fixture(scope="module")
def early_best(clips, tmp_path_factory):
    """A run whose first epoch is its best. Not to be changed."""
    run = tmp_path_factory.mktemp("runs") / "early"
    result = api.train(clips, tiny_recipe(*FLAGS), run=run)
    losses = [row["validation_loss"] for row in result.rows]
    assert losses.index(min(losses)) == 0
    return run


def test_the_last_checkpoint_is_of_the_last_epoch_also_when_it_is_no_better(early_best):
    assert epoch_of(early_best / "checkpoints" / "best.ckpt") == 1
    assert epoch_of(early_best / "checkpoints" / "last.ckpt") == 3


def test_an_interrupted_run_that_was_moved_resumes_and_keeps_its_best_epoch(early_best, clips, tmp_path):
    copy = shutil.copytree(early_best, tmp_path / "moved")
    # As if it had been killed after its first epoch.
    shutil.copy(copy / "checkpoints" / "best.ckpt", copy / "checkpoints" / "last.ckpt")
    assert len(api.resume(copy).rows) == 3
    assert epoch_of(copy / "checkpoints" / "last.ckpt") == 3
    assert epoch_of(copy / "checkpoints" / "best.ckpt") == 1
    model = "model/model.safetensors"
    assert (copy / model).read_bytes() == (early_best / model).read_bytes()


def test_last_keeps_the_last_epoch_also_when_it_is_no_better(early_best, clips, tmp_path):
    flags = "--training.monitor", "last", "--training.patience", "0", "--training.no-calibrate"
    recipe = tiny_recipe(*FLAGS, *flags)
    run = tmp_path / "run"
    result = api.train(clips, recipe, run=run)
    losses = [row["validation_loss"] for row in result.rows]
    assert losses.index(min(losses)) == 0
    assert epoch_of(run / "checkpoints" / "best.ckpt") == 3
    last = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    assert all(torch.equal(last[f"net.{name}"], value) for name, value in weights_of(run).items())
    assert any(not torch.equal(weights_of(early_best)[name], value) for name, value in weights_of(run).items())


EVERYTHING = [
    *("--training.accumulate", "2", "--batch-size", "4", "--epochs", "3", "--model.dropout", "0.5"),
    *("--training.label-smoothing", "0.2", "--training.class-weights", "--augment.crop-scale", "0.5"),
]
STAGES = ["--training.layer-decay", "0.8", "--training.unfreeze-every", "0.02"]
FROZEN = ["--model.trainable", "none"]
"""The encoder's output is kept."""
STANDARD = [*FROZEN, "--model.feature-norm", "standard", "--model.head", "attentive"]


def weights_of(run):
    return api.load(run).net.state_dict()


@pytest.mark.parametrize("flags", [STAGES, FROZEN, STANDARD], ids=["all learns", "frozen encoder", "tokens"])
def test_with_every_option_an_interrupted_training_resumes_to_the_same_bits(clips, tmp_path, flags):
    recipe = tiny_recipe(*EVERYTHING, *flags)
    whole = api.train(clips, recipe, run=tmp_path / "whole").run

    def interrupt(rows):
        if len(rows) == 2:  # the last checkpoint is of the first epoch then
            raise KeyboardInterrupt
        return False

    run = tmp_path / "run"
    with pytest.raises(Interrupted):
        fit_run(clips, recipe, run=run, stop_early=interrupt)
    assert epoch_of(run / "checkpoints" / "last.ckpt") == 1
    api.resume(run)
    for name in ("model/model.safetensors", "predictions.csv"):
        assert (run / name).read_bytes() == (whole / name).read_bytes()


def test_features_are_standardised_by_the_training_clips_before_the_first_step(clips, tmp_path, capsys):
    norms, said = {}, {}
    for kept in ("on", "off"):
        recipe = tiny_recipe(*STANDARD, "--epochs", "1", "--cache.features", kept, "--cache.variants", "1")
        run = api.train(clips, recipe, run=tmp_path / kept).run
        norms[kept] = api.load(run).net.norm
        said[kept] = " ".join(capsys.readouterr().err.split())
    assert "16 tokens of 256 numbers, 8 kB a clip" in said["on"]  # 4 frames, 2x2 places, two bytes each
    assert "tokens" not in said["off"]
    split = Split.load(RunFolder(run).split)
    cache = frame_cache(recipe)
    cache.build(split.clips_of("train"), workers=1)
    data = ClipDataset(cache, split.clips_of("train"), classes=split.classes, augment=recipe.augment, seed=0)
    net = api.load(run).net
    with torch.no_grad():
        clips_LD = [net.encode(torch.from_numpy(data[0, index].frames_THWC)[None])[0] for index in range(len(data))]
    steps_ND = torch.cat(clips_LD).double()
    deviation_D = steps_ND.std(dim=0, correction=0).clamp(min=SMALLEST_DEVIATION)
    torch.testing.assert_close(norms["off"].feature_mean_D, steps_ND.mean(dim=0).float())
    torch.testing.assert_close(norms["off"].feature_std_D, deviation_D.float())
    torch.testing.assert_close(norms["on"].feature_mean_D, norms["off"].feature_mean_D, rtol=0.02, atol=0.02)


@pytest.mark.parametrize("penalty", ["0", "0.01"])
def test_accumulated_batches_are_one_bigger_batch(clips, tmp_path, penalty):
    """The encoder is frozen, since batch norm would see each batch alone; 14 clips leave a smaller last step."""
    flags = ["--model.trainable", "none", "--model.dropout", "0", "--epochs", "3", "--model.dense-widths", "8"]
    flags += ["--model.l2", penalty, "--model.l1-activity", penalty, "--training.warmup-epochs", "2"]
    flags += ["--training.precision", "32"]
    split = divide(clips, tiny_recipe().data).split
    assert len(split.train) % 6
    runs, rows = {}, {}
    for name, batch, accumulate in (("big", 6, 1), ("small", 2, 3), ("other", 2, 1)):
        recipe = tiny_recipe(*flags, "--batch-size", str(batch), "--training.accumulate", str(accumulate))
        result = api.train(clips, recipe, run=tmp_path / name)
        runs[name], rows[name] = weights_of(result.run), result.rows
    differ = [key for key in runs["big"] if not torch.allclose(runs["big"][key], runs["other"][key], atol=1e-4)]
    assert differ
    for key, value in runs["big"].items():
        torch.testing.assert_close(runs["small"][key], value, atol=2e-5, rtol=1e-4)
    for one, two in zip(rows["big"], rows["small"], strict=True):
        assert two["learning_rate"] == pytest.approx(one["learning_rate"], rel=1e-6)
        assert two["train_loss"] == pytest.approx(one["train_loss"], rel=1e-4)
        assert two["train_accuracy"] == one["train_accuracy"]


def test_unfreezing_that_would_not_end_is_refused_before_anything_is_written(clips, tmp_path):
    for every, trainable, message in (("1", "all", "4 epochs"), ("0.1", "none", "that learn")):
        recipe = tiny_recipe("--training.unfreeze-every", every, "--model.trainable", trainable)
        with pytest.raises(UserError, match=message):
            api.train(clips, recipe, run=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_options_that_cannot_be_had_are_refused_before_anything_is_written(clips, tmp_path):
    flags = [(("--cache.features", "on", "--model.trainable", "all"), "freeze some of it")]
    if not torch.cuda.is_available():
        flags.append((("--augment.device", "gpu"), "no CUDA GPU"))
    for options, message in flags:
        with pytest.raises(UserError, match=message):
            api.train(clips, tiny_recipe(*options), run=tmp_path / "run")
    with pytest.raises(UserError, match=r"training\.weight_decay is nan"):
        tiny_recipe("--training.weight-decay", "nan")
    assert not (tmp_path / "run").exists()


def test_a_training_in_bf16_clips_gradients_beside_a_fused_optimiser(clips, tmp_path):
    recipe = tiny_recipe("--training.precision", "bf16", "--epochs", "1")
    assert recipe.training.optimizer == "adamw"
    assert recipe.training.gradient_clip
    assert api.train(clips, recipe, run=tmp_path / "run").rows


def test_gradients_are_clipped(clips, tmp_path):
    """By plain steps, since Adam's do not depend on the gradients' scale."""
    moved = {}
    for clip in ("0.000001", "0"):
        flags = ("--training.optimizer", "sgd", "--training.gradient-clip", clip, "--epochs", "1")
        flags += ("--training.no-calibrate",)
        recipe = tiny_recipe(*flags, "--training.warmup-epochs", "0", "--training.weight-decay", "0")
        result = api.train(clips, recipe, run=tmp_path / clip)
        before = new_net(
            recipe, Split.load(result.run / "split.json"), device=torch.device("cpu")
        ).classifier.state_dict()
        after = weights_of(result.run)
        moved[clip] = max((after[f"classifier.{key}"] - value).abs().max().item() for key, value in before.items())
    assert 0 < moved["0.000001"] < 1e-4 < moved["0"]


def written_before(run, **on):
    """Give a run the recipe.yaml of a version that had more options, all off but those named."""
    values = yaml.safe_load((run / "recipe.yaml").read_text())
    values["augment"] |= {"randaugment": 0, "randaugment_magnitude": 9.0}
    values["training"] |= {"mixup": 0.0, "cutmix": 0.0, "ema": 0.0, "compile": False, **on}
    (run / "recipe.yaml").write_text(yaml.safe_dump(values))


def test_a_run_of_before_resumes_predicts_and_is_measured(early_best, clips, tmp_path, capsys):
    old = shutil.copytree(early_best, tmp_path / "old")
    written_before(old)
    shutil.copy(old / "checkpoints" / "best.ckpt", old / "checkpoints" / "last.ckpt")  # killed after its first epoch
    assert len(api.resume(old).rows) == 3
    note = capsys.readouterr().err.splitlines()[0]
    assert note.startswith(f"note: {old / 'recipe.yaml'}: ignored ")
    assert all(f"training.{name}" in note for name in ("mixup", "cutmix", "ema", "compile"))
    for name in ("model/model.safetensors", "predictions.csv"):
        assert (old / name).read_bytes() == (early_best / name).read_bytes()
    assert api.evaluate(old).top1 == api.evaluate(early_best).top1
    assert api.report([old]).is_file()
    [prediction] = list(api.predict(old, [str(next(clips.rglob("*.avi")))]))
    assert prediction.error is None


def test_a_run_of_before_whose_option_is_gone_does_all_but_resume(early_best, clips, tmp_path):
    old = shutil.copytree(early_best, tmp_path / "old")
    written_before(old, ema=0.99)
    with pytest.raises(UserError, match=r"recipe\.yaml: training\.ema is 0\.99"):
        api.resume(old)
    assert api.evaluate(old).top1 == api.evaluate(early_best).top1
    assert api.report([old]).is_file()

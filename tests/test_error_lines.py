"""The one line of an error: which option was meant, and that library keys come out as options."""

import pytest

from muybridge import cli, error_lines
from muybridge.errors import UserError
from tests.helpers.commands import run


@pytest.mark.parametrize(
    ("command", "line"),
    [
        ("train x --lr 3", "there is no option --lr; did you mean --learning-rate?"),
        ("train x --lr=3", "there is no option --lr; did you mean --learning-rate?"),
        ("train x --learning_rate 3", "there is no option --learning_rate; did you mean --learning-rate?"),
        ("train x --batch_size 3", "there is no option --batch_size; did you mean --batch-size?"),
        ("train x --weight-decay 0", "there is no option --weight-decay; did you mean --training.weight-decay?"),
        ("train x --model i3d", "there is no option --model; did you mean --encoder?"),
        ("train x --cache off", "there is no option --cache; "),
        ("train x --epcohs 3", "there is no option --epcohs; did you mean --epochs?"),
        ("train x --sampler.short wrap", "there is no option --sampler.short; did you mean --sampler.policy?"),
        ("evaluate x --split-seed 1", "there is no option --split-seed; did you mean --data.split-seed?"),
        ("train x --training.lr 3", "there is no option --training.lr; did you mean --training.learning-rate?"),
        ("train x --zzz 1", "there is no option --zzz; the options are in: muybridge train --help"),
        ("train x --recipe lihgt", "no recipe lihgt; did you mean 'light'?"),
        ("train x --head brt", "Invalid value"),
        ("train x --epochs -2", "--epochs is -2; give 0 or more"),
        ("train x --sampler.jitter 2", "--sampler.jitter is 2; give an odd number up to 99, 1 for none"),
        ("export x --to torch --clips 0", "--clips is 0; give 1 or more"),
        ("evaluate x --views 0", "--views is 0; give 1 or more"),
        ("--nix", "there is no verb '--nix'; there are demo, "),
        ("trian x", "there is no verb 'trian'; did you mean 'train'?"),
        ("test x", "there is no verb 'test'; did you mean 'evaluate'?"),
        ("predict", "predict needs MODEL; for example: muybridge predict runs/default-1 my_video.mp4"),
    ],
)
def test_a_wrong_word_leads_to_the_right_one_in_one_line(command, line, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as left:
        cli.main(command.split())
    out, err = capsys.readouterr()
    assert (left.value.code, out) == (2, "")
    assert err.count("\n") == 1
    assert err.startswith(f"error: {line}")


@pytest.mark.parametrize(
    ("recipe", "options", "line"),
    [
        ("training: {epochs: -1}", "", "training.epochs is -1; give 0 or more"),
        ("training: {epochs: -1}", "--frames 3", "training.epochs is -1; give 0 or more"),
        ("training: {epochs: 3}", "--epochs=-1", "--epochs is -1; give 0 or more"),
        ("training: {epochs: 3}", "--training.epochs -1", "--epochs is -1; give 0 or more"),
        ("model: {encoder: mobilnet}", "", 'Invalid value "mobilnet" for model.encoder in mine.yaml. Did you mean'),
    ],
)
def test_a_bad_value_has_its_key_in_a_file_and_its_option_in_a_command(
    recipe, options, line, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text(recipe)
    code, _, err = run("train", "x", "--recipe", "mine.yaml", *options.split(), capsys=capsys)
    assert code == 2
    assert err.startswith(f"error: {line}")


@pytest.mark.parametrize("option", ["--encoder", "--model.encoder"])
def test_an_encoder_of_another_library_is_named_as_it_must_be_written(option, capsys):
    code, _, err = run("train", "x", option, "resnet50", capsys=capsys)
    assert code == 2
    assert "say timm:resnet50" in err
    assert "mobilenet, densenet" in err


@pytest.mark.parametrize(
    ("verb", "message", "line"),
    [
        ("train", "give fewer sampler.frames or a smaller size_px", "give fewer --frames or a smaller --size-px"),
        (
            "train",
            "raise cache.budget_gb, or say cache.features off",
            "raise --cache.budget-gb, or say --cache.features off",
        ),
        ("ensemble", "the same data.split_seed", "the same --data.split-seed"),
        ("get", "give another with get.given", "give another with --from"),
        ("predict", "views.flip mirrors clips", "--flip mirrors clips"),
        ("sweep", "sweep.over model.l2=1 is given twice", "--over model.l2=1 is given twice"),
        ("train", "runs/export.clips and a/training.epochs", "runs/export.clips and a/training.epochs"),
        ("train", "mine.yaml: unknown key sampler.framse", "mine.yaml: unknown key sampler.framse"),
    ],
)
def test_keys_become_options(verb, message, line):
    assert error_lines.line(UserError(message), cli.app, verb, [verb, "x"]) == line

"""Exports of a finished run of the tiny recipe: checked, kept or refused, found again, and chosen."""

import copy
import json
import shutil
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.helpers.commands import run as command

from muybridge import api
from muybridge.console import STDERR
from muybridge.dataset.split import Split
from muybridge.errors import UserError
from muybridge.files import content_hash
from muybridge.inference.combining import Combination
from muybridge.inference.engines.choosing import choose_export
from muybridge.inference.engines.exports import EXPORT_FILE, Export, find_exports
from muybridge.inference.engines.torch_engine import TorchEngine
from muybridge.inference.ensemble import Ensemble
from muybridge.inference.loading import load
from muybridge.inference.views import Views
from muybridge.models.saving import WEIGHTS_FILE
from muybridge.runs import RunFolder
from muybridge.verbs.export.parity import compare_engines


@pytest.fixture
def run(tiny_run, tmp_path):
    """A run to export from."""
    shutil.copytree(tiny_run, tmp_path / "run")
    return tmp_path / "run"


@pytest.fixture(scope="session")
def exported_run(tiny_run, tmp_path_factory):
    """A run with exports for every engine. Not to be changed."""
    pytest.importorskip("onnxruntime")
    pytest.importorskip("openvino")
    run = tmp_path_factory.mktemp("exported") / "run"
    shutil.copytree(tiny_run, run)
    for engine in ("torch", "onnx", "openvino"):
        api.export(run, to=engine)
    return run


def choose(run, name, *, device="cpu"):
    checksum = content_hash(run / "model" / WEIGHTS_FILE)
    return choose_export(run, name, weights_sha256=checksum, device=torch.device(device))


def set_ratios(run, **ratios):
    """Let the exports' recorded speeds be these, so that a choice does not depend on the machine."""
    for name, folder in find_exports(run).items():
        export = Export.load(folder)
        milliseconds = 10 / ratios[name.replace("-", "_")]
        replace(export, latency=replace(export.latency, milliseconds=milliseconds, torch_milliseconds=10.0)).save(
            folder
        )


def predicted(run, clips, engine):
    paths = sorted(clips.rglob("*.avi"))
    return [dict(prediction.ranking) for prediction in api.load(run, engine=engine).predict_files(paths)]


def test_an_export_says_what_it_is_and_what_its_check_found(exported_run):
    for name, folder in find_exports(exported_run).items():
        export = Export.load(folder)
        export.check_files(folder)
        split = Split.load(RunFolder(exported_run).split)
        assert export.name == name
        assert export.classes == api.load(exported_run).classes
        assert export.preprocessing["size_px"] == 32
        assert export.parity.passed
        assert export.parity.validation_clips == len(split.validation)
        assert export.parity.training_clips == len(split.train)
        assert export.parity.maximum_difference < 1e-4
        assert export.parity.changed_top1 == 0
        assert export.latency.milliseconds > 0


@pytest.mark.parametrize("engine", ["torch-fp32", "onnx", "openvino-fp32"])
def test_predictions_of_an_engine_are_those_of_torch(exported_run, clips, engine):
    for expected, found in zip(
        predicted(exported_run, clips, "torch"), predicted(exported_run, clips, engine), strict=True
    ):
        assert found.keys() == expected.keys()
        np.testing.assert_allclose([found[name] for name in expected], list(expected.values()), atol=1e-5)


def test_several_views_go_through_the_engine(exported_run, clips):
    path = sorted(clips.rglob("*.avi"))[0]
    expected, found = (
        api.load(exported_run, engine=engine).predict(path, views=Views(times=3)) for engine in ("torch", "onnx")
    )
    np.testing.assert_allclose(sorted(dict(found.ranking).values()), sorted(dict(expected.ranking).values()), atol=1e-5)


def test_a_moved_run_keeps_its_exports(exported_run, clips, tmp_path):
    shutil.copytree(exported_run, tmp_path / "elsewhere")
    assert predicted(tmp_path / "elsewhere", clips, "onnx") == predicted(exported_run, clips, "onnx")


def test_an_export_that_costs_too_much_accuracy_is_refused_and_leaves_nothing(run):
    before = sorted(run.rglob("*"))
    # bfloat16 changes no answer here, so what is allowed has to be less than nothing.
    with pytest.raises(UserError, match=r"torch-bf16 is refused.*export.force"):
        api.export(run, to="torch", precision="bf16", tolerance_points=-1)
    assert sorted(run.rglob("*")) == before
    result = api.export(run, to="torch", precision="bf16", tolerance_points=-1, force=True)
    assert not result.export.parity.passed
    assert choose(run, "auto").export is None
    assert choose(run, "torch-bf16").export == result.folder


@pytest.mark.parametrize("engine", ["onnx", "openvino"])
def test_int8_is_refused_beyond_what_it_may_cost(run, engine):
    pytest.importorskip({"onnx": "onnxruntime", "openvino": "nncf"}[engine])
    before = sorted(run.rglob("*"))
    with pytest.raises(
        UserError, match=rf"{engine}-int8 is refused.*it may cost -1 points of validation accuracy.*export.force"
    ):
        api.export(run, to=engine, precision="int8", tolerance_points=-1)
    assert sorted(run.rglob("*")) == before
    export = api.export(run, to=engine, precision="int8").export
    assert export.parity.passed
    assert export.calibration_clips == export.parity.training_clips


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_an_engine_that_says_something_else_does_not_pass(run, precision):
    recognizer = api.load(run, device="cpu")
    split = Split.load(RunFolder(run).split)
    right = [clip for clip in split.clips_of("validation") if recognizer.predict(clip.path).label == clip.label]
    other = 1 - recognizer.classes.index(right[0].label)
    stranger = copy.deepcopy(recognizer.net)
    with torch.no_grad():  # it always says the class that the first of these clips is not of
        stranger.classifier[-1].bias[other] += 100
    parity = compare_engines(
        recognizer,
        TorchEngine(stranger, device=torch.device("cpu")),
        precision=precision,
        training=split.clips_of("train")[:2],
        validation=right,
        tolerance_points=1,
        console=STDERR,
    )
    assert not parity.passed
    assert parity.changed_top1 > 0
    assert parity.torch_correct == len(right) > parity.correct
    assert parity.points_lost > 1


def test_an_export_in_place_of_another_replaces_it_whole(run):
    first = api.export(run, to="torch", clips=2)
    (first.folder / "stray").write_text("old")
    second = api.export(run, to="torch", clips=3)
    assert sorted(path.name for path in second.folder.iterdir()) == [EXPORT_FILE, "model.safetensors"]
    assert second.export.parity.training_clips == 3
    assert sorted(path.name for path in (run / "exports").iterdir()) == ["torch-fp32"]


def test_a_refused_export_leaves_the_one_that_was_there(run):
    kept = api.export(run, to="torch", precision="bf16", clips=2)
    with pytest.raises(UserError, match="refused"):
        api.export(run, to="torch", precision="bf16", clips=2, tolerance_points=-1)
    assert Export.load(kept.folder) == kept.export


def test_clips_that_are_gone_are_named_and_can_be_given(run, clips, tmp_path):
    split = json.loads((run / "split.json").read_text())
    split["root"] = str(tmp_path / "gone")
    (run / "split.json").write_text(json.dumps(split))
    with pytest.raises(UserError, match=r"cannot be found, for example .*gone.*run.clips_root"):
        api.export(run, to="torch")
    assert not (run / "exports").exists()
    assert api.export(run, to="torch", data=clips).export.parity.passed


def test_a_clip_that_lay_outside_the_folder_is_looked_for_where_it_was(run, clips, tmp_path):
    split = Split.load(RunFolder(run).split)
    inside = next(clip for clip in split.clips if clip.id == split.train[0])
    outside = replace(inside, path=tmp_path / "apart" / inside.path.name)
    changed = replace(
        split,
        train=(outside.id, *split.train[1:]),
        clips=tuple(outside if clip.id == inside.id else clip for clip in split.clips),
    )
    changed.save(RunFolder(run).split)
    with pytest.raises(UserError, match=r"1 of .* train clips.*apart.*run.clips_root"):
        api.export(run, to="torch")
    # It has the bytes of a clip in the folder, so it is found there; and where it was, once it is back.
    assert api.export(run, to="torch", clips_root=clips).export.parity.passed
    outside.path.parent.mkdir()
    shutil.copy(clips / inside.id, outside.path)
    assert api.export(run, to="torch").export.parity.passed
    assert api.export(run, to="torch", data=clips).export.parity.passed


def test_auto_takes_the_fastest_that_passed(exported_run, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(exported_run, run)
    set_ratios(run, torch_fp32=1.1, onnx_fp32=3.0, openvino_fp32=2.0)
    assert choose(run, "auto").export.name == "onnx-fp32"
    assert "3.0 times" in choose(run, "auto").why
    assert choose(run, "openvino").export.name == "openvino-fp32"
    assert choose(run, "torch").export is None
    assert choose(run, "auto", device="cuda").export is None
    onnx = run / "exports" / "onnx-fp32"
    export = Export.load(onnx)
    replace(export, parity=replace(export.parity, passed=False)).save(onnx)
    assert choose(run, "auto").export.name == "openvino-fp32"
    assert "onnx-fp32 did not pass" in choose(run, "auto").why
    with pytest.raises(UserError, match="did not pass"):
        choose(run, "onnx")
    set_ratios(run, torch_fp32=0.9, onnx_fp32=3.0, openvino_fp32=0.5)
    assert choose(run, "auto").export is None


def test_an_engine_that_is_not_installed(exported_run, tmp_path, monkeypatch):
    run = tmp_path / "run"
    shutil.copytree(exported_run, run)
    set_ratios(run, torch_fp32=1.1, onnx_fp32=3.0, openvino_fp32=2.0)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)  # importing it fails, as where it is not there
    assert choose(run, "auto").export.name == "openvino-fp32"
    assert "onnx-fp32 needs pip install 'muybridge[onnx]'" in choose(run, "auto").why
    with pytest.raises(UserError, match=r"pip install 'muybridge\[onnx\]'"):
        api.load(run, engine="onnx")


def test_auto_without_exports_is_torch(tiny_run):
    assert choose(tiny_run, "auto").export is None


def test_an_export_of_other_weights_is_not_used(exported_run, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(exported_run, run)
    choice = choose_export(run, "auto", weights_sha256="0" * 64, device=torch.device("cpu"))
    assert choice.export is None and "other weights" in choice.why
    with pytest.raises(UserError, match="other weights"):
        choose_export(run, "onnx-fp32", weights_sha256="0" * 64, device=torch.device("cpu"))


@pytest.mark.parametrize("damage", ["model", "json", "missing"])
def test_a_damaged_export_is_an_error_and_no_fallback(exported_run, tmp_path, damage):
    run = tmp_path / "run"
    shutil.copytree(exported_run, run)
    folder = run / "exports" / "onnx-fp32"
    if damage == "model":
        content = bytearray((folder / "model.onnx").read_bytes())
        content[len(content) // 2] ^= 1
        (folder / "model.onnx").write_bytes(content)
    elif damage == "json":
        (folder / EXPORT_FILE).write_text('{"format": "muybridge-export"}')
    else:
        (folder / "model.onnx").unlink()
    with pytest.raises(UserError, match="damaged"):
        api.load(run, engine="onnx")


def test_bad_input_is_one_line(tiny_run, tmp_path, capsys):
    for arguments, expected in (
        (["export", tiny_run, "--to", "onnx", "--precision", "bf16"], "onnx does not compute in bf16"),
        (["export", tiny_run, "--to", "torch", "--precision", "int8"], "or --to onnx or openvino"),
        (["export", tiny_run, "--to", "onxx"], "onxx"),
        (["export", tiny_run, "--to", "torch", "--clips", "0"], "--clips is 0"),
        (["export", tmp_path, "--to", "torch"], "is not a run"),
        (["export", tiny_run, "--to", "torch", "--out", tiny_run], "is no export; name another folder with --out"),
        (["predict", tiny_run, "x.avi", "--engine", "onnx"], "no such file"),
        (["evaluate", tiny_run, "--engine", "onnx"], f"muybridge export {tiny_run} --to onnx"),
        (["evaluate", tiny_run, "--engine", "openvino-int8"], "--to openvino --precision int8"),
        (["evaluate", tiny_run, "--engine", "opnvino"], "did you mean 'openvino'?"),
    ):
        code, out, err = command(*arguments, capsys=capsys)
        assert code == 2, arguments
        assert " ".join(expected.split()) in err
        assert "Traceback" not in err and not out


def test_the_commands(run, clips, capsys):
    pytest.importorskip("onnxruntime")
    code, out, err = command("export", run, "--to", "onnx", "--clips", 3, "--json", capsys=capsys)
    assert code == 0, err
    assert json.loads(out)["parity"]["passed"] is True
    video = sorted(clips.rglob("*.avi"))[0]
    code, out, err = command("predict", run, video, "--engine", "onnx", capsys=capsys)
    assert code == 0
    assert "engine onnx-fp32" in err
    code, out, err = command("evaluate", run, "--engine", "onnx", capsys=capsys)
    assert code == 0
    assert "engine onnx-fp32" in out
    assert (run / "evaluations" / "test-onnx" / "predictions.csv").is_file()


def test_an_ensemble_computes_in_torch_and_says_so(tiny_run, tmp_path):
    member = api.load(tiny_run)
    Ensemble({"a": member, "b": member}, Combination.equal(2)).save(tmp_path / "model")
    said = []
    assert isinstance(load(tmp_path, engine="auto", announce=said.append), Ensemble)
    assert said == ["engine torch: an ensemble computes in torch"]
    with pytest.raises(UserError, match=r"is an ensemble.*engine onnx"):
        load(tmp_path, engine="onnx")

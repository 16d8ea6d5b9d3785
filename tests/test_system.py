import pytest
import torch

from muybridge import UserError, api
from muybridge.system import resolve_device
from tests.helpers.commands import run


def test_auto_is_a_gpu_where_there_is_one_else_the_processor():
    assert resolve_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    assert resolve_device("cpu") == resolve_device(torch.device("cpu")) == torch.device("cpu")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("gpu0", "device gpu0 is unknown; "),
        ("cudda", "did you mean 'cuda'?"),
        ("cuda:", "unknown"),
        ("cuda:-1", "unknown"),
        ("cuda:x", "unknown"),
        ("", "unknown"),
        ("meta", "unknown"),
        ("cuda:97", "this machine has" if torch.cuda.is_available() else "torch finds no CUDA GPU here"),
    ],
)
def test_a_device_that_cannot_be_is_refused(name, expected):
    with pytest.raises(UserError, match="device") as refused:
        resolve_device(name)
    assert expected in str(refused.value)


@pytest.mark.skipif(torch.cuda.is_available(), reason="is about machines without a CUDA GPU")
@pytest.mark.parametrize("name", ["cuda", "cuda:0", "cuda:1"])
def test_a_gpu_that_is_not_there_is_refused(name):
    with pytest.raises(UserError, match=f"device {name}: torch finds no CUDA GPU here"):
        resolve_device(name)


@pytest.mark.skipif(torch.backends.mps.is_available(), reason="is about machines without an Apple GPU")
def test_an_apple_gpu_that_is_not_there_is_refused():
    with pytest.raises(UserError, match="no Apple GPU"):
        resolve_device("mps")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_gpus_by_number():
    assert resolve_device("cuda") == resolve_device("cuda:0") == torch.device("cuda", 0)
    with pytest.raises(UserError, match="is not there"):
        resolve_device(f"cuda:{torch.cuda.device_count()}")


def test_every_verb_that_computes_checks_the_device_first(tmp_path, monkeypatch, capsys):
    """None of the folders is there, so the device is what is looked at first; and nothing is written."""
    monkeypatch.chdir(tmp_path)
    for verb in (
        ["train", "nothing"],
        ["train", "nothing", "--profile"],
        ["train", "--resume", "nothing"],
        ["ensemble", "nothing", "nowhere"],
        ["sweep", "default", "nothing", "--over", "model.dropout=0.3,0.5"],
        ["demo"],
    ):
        code, out, err = run(*verb, "--device", "gpu0", capsys=capsys)
        assert (code, out) == (2, "")
        assert "device gpu0 is unknown" in err
    for option in ("--device-count", "--node-count"):
        code, _, err = run("train", "nothing", option, "0", capsys=capsys)
        assert code == 2
        assert f"{option[2:].replace('-', ' ')} is 0; give 1 or more" in err
    code, _, err = run("train", "nothing", "--node-count", "2", capsys=capsys)
    assert code == 2
    assert "MASTER_ADDR, MASTER_PORT, NODE_RANK is not set" in err
    assert list(tmp_path.iterdir()) == []


def test_a_model_computes_where_it_is_told(tiny_run, clips, tmp_path, capsys):
    video = next((clips / "dim").iterdir())
    assert api.load(tiny_run, device="cpu").device == torch.device("cpu")
    for verb in (["predict", tiny_run, video], ["evaluate", tiny_run, "--out", tmp_path]):
        assert run(*verb, "--device", "cpu", capsys=capsys)[0] == 0
        code, out, err = run(*verb, "--device", "gpu0", capsys=capsys)
        assert (code, out) == (2, "")
        assert "device gpu0 is unknown" in err

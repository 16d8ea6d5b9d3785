"""The graph of one step of a streaming model: frame by frame it says what the whole clip says."""

import numpy as np
import pytest
import torch
from tests.helpers.clips import TINY

from muybridge import api
from muybridge.errors import UserError
from muybridge.inference.engines.exports import Export, StreamCheck
from muybridge.inference.engines.stream_engine import open_stream
from muybridge.inference.engines.torch_engine import TorchEngine
from muybridge.inference.exporting.stream_graph import require_streaming
from muybridge.inference.exporting.writing import write_stream
from muybridge.inference.recognizer import Recognizer
from muybridge.models.encoders import movinet
from muybridge.models.encoders.movinet import Row, Size
from muybridge.models.network import RecognizerNet
from muybridge.recipes.model import ModelConfig
from muybridge.recipes.store import parse_recipe
from muybridge.video.door import read_frames
from muybridge.video.sampling import UniformSampler

SIZE_PX = 40  # is halved five times with a remainder
ROWS = (
    Row(8, 2, ((16, 1, 5),)),
    Row(16, 2, ((24, 3, 3), (24, 5, 3))),
    Row(16, 2, ((24, 1, 3),)),
    Row(16, 2, ((24, 3, 3),)),
)
SMALL = Size(stem=8, rows=ROWS, last=24)


@pytest.fixture
def small(monkeypatch):
    """MoViNets with few blocks."""
    monkeypatch.setattr(movinet.MoViNet, "size", SMALL)


def lively_net(head: str, encoder: str = "movinet_a0", output: str = "maps+hidden") -> RecognizerNet:
    torch.manual_seed(0)
    config = ModelConfig(encoder=encoder, encoder_output=output, weights="none", trainable="none", head=head)
    net = RecognizerNet(config, class_count=3).eval()
    for name, value in net.state_dict().items():
        if name.endswith("alpha"):
            value.fill_(0.7)
        elif name.endswith(("norm.weight", "running_var", "std_D")):
            value.uniform_(0.5, 1.5)
        elif name.endswith(("bias", "running_mean", "mean_D")):
            value.normal_(0, 0.2)
    return net


def clip(frames: int, seed: int):
    return np.random.default_rng(seed).integers(256, size=(frames, SIZE_PX, SIZE_PX, 3), dtype=np.uint8)


@pytest.mark.parametrize("head", ["probe", "mean"])
@pytest.mark.parametrize("engine", ["onnx", "openvino"])
def test_every_frame_has_the_scores_of_the_clip_so_far(tmp_path, small, engine, head):
    pytest.importorskip("onnxscript")
    pytest.importorskip({"onnx": "onnxruntime", "openvino": "openvino"}[engine])
    net = lively_net(head)
    stream = write_stream(tmp_path, net, engine=engine, size_px=SIZE_PX, metadata={"classes": ["a", "b", "c"]})
    plain = TorchEngine(net, device=torch.device("cpu"), precision="fp32")
    clips = [clip(7, 0), clip(7, 1)]
    states = [stream.first_state(), stream.first_state()]
    seen = []
    for number in range(7):  # two cameras take turns
        for camera in (0, 1):
            logits_K, states[camera] = stream.score(clips[camera][number], states[camera])
            expected_K = plain.score([clips[camera][: number + 1]])[0]
            np.testing.assert_allclose(logits_K, expected_K, atol=1e-4)
            seen.append(logits_K)
    assert np.ptp(np.stack(seen), axis=0).min() > 1e-3  # the frames do bear on the scores
    assert all(np.array_equal(state, 0 * state) for state in stream.first_state())


def test_networks_that_see_frames_to_come_do_not_stream(small):
    require_streaming(lively_net("mean"))
    with pytest.raises(UserError, match=r"model.encoder movinet_a0_base cannot go frame by frame"):
        require_streaming(lively_net("probe", encoder="movinet_a0_base"))
    with pytest.raises(UserError, match=r"model.head lstm on maps cannot go frame by frame"):
        require_streaming(lively_net("lstm", output="maps"))
    with pytest.raises(UserError, match=r"model.head mean on logits cannot"):
        require_streaming(lively_net("mean", output="logits"))


@pytest.fixture(scope="module")
def streaming_run(clips, tmp_path_factory):
    """A run of a small MoViNet with a probe."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(movinet.MoViNet, "size", SMALL)
        model = {"encoder": "movinet_a0", "encoder_output": "maps+hidden", "weights": "none", "trainable": "none"}
        recipe = parse_recipe(TINY | {"model": model | {"head": "probe"}}, source="tiny")
        run = tmp_path_factory.mktemp("runs") / "streaming"
        api.train(clips, recipe, run=run)
        yield run


def test_the_job_writes_checks_and_records_the_stream(streaming_run, clips):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    result = api.export(streaming_run, to="onnx", streaming=True)
    stream = Export.load(result.folder).stream
    assert stream == result.export.stream
    assert stream.clips > 0
    assert stream.maximum_difference < 1e-4
    assert str(stream) in str(result)
    assert set(result.export.files) == {"model.onnx", "stream.onnx"}
    engine = open_stream(result.folder / "stream.onnx")
    recognizer = Recognizer.load(streaming_run)
    frames_THWC = read_frames(sorted(clips.rglob("*.avi"))[0], recognizer.sampler, size_px=32).frames_THWC
    state = engine.first_state()
    for frame_HWC in frames_THWC:
        logits_K, state = engine.score(frame_HWC, state)
    expected = recognizer.engine.score([frames_THWC])[0]
    np.testing.assert_allclose(logits_K, expected, atol=1e-4 * max(1, np.abs(expected).max()))
    again = api.export(streaming_run, to="onnx")  # takes the place of the one with a stream
    assert again.export.stream is None
    assert not (again.folder / "stream.onnx").exists()


def test_streams_of_other_kinds_are_refused_before_anything_is_written(streaming_run, tiny_run):
    with pytest.raises(UserError, match=r"export.to torch writes no graph of one step; choose export.to onnx or openv"):
        api.export(streaming_run, to="torch", streaming=True)
    with pytest.raises(UserError, match="a stream computes in fp32"):
        api.export(streaming_run, to="onnx", precision="int8", streaming=True)
    with pytest.raises(UserError, match=r"model.encoder mobilenet cannot go frame by frame"):
        api.export(tiny_run, to="onnx", streaming=True)
    assert not (tiny_run / "exports").exists()
    with pytest.raises(UserError, match=r"stream.onnx is no file; make it with: muybridge export"):
        open_stream(streaming_run / "stream.onnx")


def test_what_a_check_says():
    text = str(StreamCheck(clips=8, maximum_difference=2e-6, milliseconds=5.25))
    assert text == (
        "frame by frame on 8 validation clips: scores differ from those of whole clips by at most 2e-06 of the "
        "largest; 5.2 ms a frame"
    )


REAL_FRAMES = 16


@pytest.mark.parametrize("engine", ["onnx", "openvino"])
def test_the_published_weights_stream_on_real_clips(shared, tmp_path, monkeypatch, engine):
    monkeypatch.setattr(movinet.MoViNet, "size", movinet.A0)  # whatever the run above needs
    pytest.importorskip("onnxscript")
    pytest.importorskip({"onnx": "onnxruntime", "openvino": "openvino"}[engine])
    from muybridge.models.network import build

    config = ModelConfig(encoder="movinet_a0", encoder_output="maps+hidden", trainable="none", head="probe")
    torch.manual_seed(0)
    net = build(config, 10, weights_dir=shared / "weights").eval()
    plain = TorchEngine(net, device=torch.device("cpu"), precision="fp32")
    stream = write_stream(tmp_path, net, engine=engine, size_px=172, metadata={})
    for path in sorted((shared / "data" / "ucf101-10").rglob("*.mp4"))[::330]:
        frames_THWC = read_frames(path, UniformSampler(frames=REAL_FRAMES), size_px=172).frames_THWC
        state = stream.first_state()
        for frame_HWC in frames_THWC:
            logits_K, state = stream.score(frame_HWC, state)
        np.testing.assert_allclose(logits_K, plain.score([frames_THWC])[0], atol=1e-4)

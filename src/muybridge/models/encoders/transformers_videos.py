"""Video networks of transformers: VideoMAE, V-JEPA 2, ViViT, TimeSformer, X-CLIP, VideoPrism.

Tokens are tubes: patches that are one or two frames deep. A model that has positions for a fixed number of frames sees
a longer clip in pieces of that many. A last tube or piece that is not full repeats the clip's last frame.

Axes: B clips, P pieces of them, T frames, S steps in time, C channels, D features, H height, W width, N tokens.
"""

import inspect
from typing import Any

import torch
from torch import Tensor, nn

from muybridge.errors import UserError
from muybridge.models.encoders.adapted import require_patches, tokens_to_maps
from muybridge.models.encoders.encoder import VideoEncoder
from muybridge.models.encoders.scaling import Scaling
from muybridge.models.encoders.transformers_model import Transformers, side_px


class TransformersVideoEncoder(Transformers, VideoEncoder):
    """A network whose tokens are ordered by time, then row, then column: VideoMAE, V-JEPA 2, ViViT.

    Attributes:
        tube_frames: Frames of a tube, each of which is one step in time.
        piece_frames: Frames that the model has positions for; None: any number.
        fixed_size: Whether it has positions for frames of ``default_size_px`` only.
    """

    fixed_size = True

    def __init__(self, name: str, model: nn.Module, scaling: Scaling) -> None:
        """Wrap a model; see ``create_transformers_encoder``."""
        config: Any = model.config
        super().__init__(output="maps", map_count=config.hidden_size, class_count=0)
        self.name, self.model, self.scaling = name, model, scaling
        # A number of frames, with the patch next to it, or both together: (frames, rows, columns).
        tube = getattr(config, "tubelet_size", 1)
        self.tube_frames: int = tube if isinstance(tube, int) else tube[0]
        self.patch_px = side_px(config.patch_size if isinstance(tube, int) else tube)
        self.default_size_px = side_px(getattr(config, "crop_size", None) or config.image_size)
        self.minimum_size_px = self.default_size_px if self.fixed_size else self.patch_px
        # V-JEPA 2 turns its queries by their positions, however many there are; the others add a fixed number of them.
        self.piece_frames: int | None = getattr(config, "num_frames", None)
        parameters = inspect.signature(model.forward).parameters
        self.input_name = "pixel_values_videos" if "pixel_values_videos" in parameters else "pixel_values"
        self.options = {"skip_predictor": True} if "skip_predictor" in parameters else {}

    def step_count(self, frame_count: int) -> int:
        """As many steps as tubes, of whole pieces where the number of frames is fixed."""
        return self._filled(frame_count) // self.tube_frames

    def classifier_stage(self) -> nn.Module:
        """There is none: the configuration does not allow ``output="logits"`` here."""
        raise NotImplementedError("adapters have no class scores")

    def check_input(self, *, size_px: int, frame_count: int | None) -> None:
        """Refuse another size, and numbers of frames that would leave a piece half empty."""
        self._require_fitting_size(size_px, size_px)
        super().check_input(size_px=size_px, frame_count=frame_count)
        unit = self.piece_frames or self.tube_frames
        if frame_count is not None and frame_count % unit:
            raise UserError(
                f"sampler.frames is {frame_count}; {self.label} sees {unit} at a time, so give {unit}, or a multiple "
                "of it"
            )

    def maps(self, clip_BCTHW: Tensor) -> Tensor:
        """Return the last hidden states on their grid, (B, D, S, H, W).

        Raises:
            UserError: The frames are not of a size that the model knows.
        """
        batch, _, frame_count, height, width = clip_BCTHW.shape
        self._require_fitting_size(height, width)
        missing = self._filled(frame_count) - frame_count
        clip_BTCHW = clip_BCTHW.transpose(1, 2)
        clip_BTCHW = torch.cat([clip_BTCHW, clip_BTCHW[:, -1:].expand(-1, missing, -1, -1, -1)], dim=1)
        piece_frames = self.piece_frames or clip_BTCHW.shape[1]
        pieces_PTCHW = clip_BTCHW.reshape(-1, piece_frames, *clip_BTCHW.shape[2:])
        maps_PDSHW = self.piece_maps(pieces_PTCHW)
        if len(maps_PDSHW) == batch:
            return maps_PDSHW
        joined = maps_PDSHW.unflatten(0, (batch, -1)).transpose(1, 2)  # type: ignore[no-untyped-call]
        return joined.flatten(2, 3)  # type: ignore[no-any-return]

    def piece_maps(self, pieces_PTCHW: Tensor) -> Tensor:
        """Return maps_PDSHW of clips that have the model's number of frames."""
        tokens_PND = self.last_hidden(**{self.input_name: pieces_PTCHW}, **self.options)
        steps = pieces_PTCHW.shape[1] // self.tube_frames
        rows, columns = self._grid(pieces_PTCHW)
        maps = tokens_to_maps(tokens_PND, steps * rows, columns, self.label)
        return maps.unflatten(2, (steps, rows))  # type: ignore[no-any-return,no-untyped-call]

    def _grid(self, pieces_PTCHW: Tensor) -> tuple[int, int]:
        height, width = pieces_PTCHW.shape[-2:]
        return height // self.patch_px, width // self.patch_px

    def _filled(self, frame_count: int) -> int:
        """The frames of a clip and those repeated to fill its last piece."""
        unit = self.piece_frames or self.tube_frames
        return -(-frame_count // unit) * unit

    def _require_fitting_size(self, height: int, width: int) -> None:
        size_px = self.default_size_px
        if self.fixed_size and (height, width) != (size_px, size_px):
            raise UserError(
                f"{self.label} knows frames of {size_px}x{size_px} px only, these are {width}x{height}; "
                f"say size_px {size_px}"
            )
        require_patches(self.label, self.patch_px, height, width)


class TimesformerEncoder(TransformersVideoEncoder):
    """TimeSformer, whose tokens are ordered by row and column first, then time."""

    def piece_maps(self, pieces_PTCHW: Tensor) -> Tensor:
        """Return maps_PDSHW of clips that have the model's number of frames."""
        config: Any = self.model.config
        frames = pieces_PTCHW.shape[1]
        rows, columns = self._grid(pieces_PTCHW)
        tokens = self.last_hidden(pixel_values=pieces_PTCHW)
        if config.attention_type == "space_only":  # every frame is an image of its own
            return _frames_to_clips(tokens_to_maps(tokens, rows, columns, self.label), frames)
        maps = tokens_to_maps(tokens, rows * columns, frames, self.label)
        return maps.transpose(2, 3).unflatten(3, (rows, columns))  # type: ignore[no-any-return,no-untyped-call]


class XClipEncoder(TransformersVideoEncoder):
    """X-CLIP's vision half: an image network whose frames tell each other what they saw, block by block."""

    def piece_maps(self, pieces_PTCHW: Tensor) -> Tensor:
        """Return maps_PDSHW of clips that have the model's number of frames."""
        tokens_ND = self.last_hidden(pixel_values=pieces_PTCHW.flatten(0, 1))
        rows, columns = self._grid(pieces_PTCHW)
        return _frames_to_clips(tokens_to_maps(tokens_ND, rows, columns, self.label), pieces_PTCHW.shape[1])


class VideoPrismEncoder(TransformersVideoEncoder):
    """VideoPrism, whose positions are stretched over any size and number of frames, as its authors do."""

    fixed_size = False

    def __init__(self, name: str, model: nn.Module, scaling: Scaling) -> None:
        """Wrap a model; see ``create_transformers_encoder``."""
        super().__init__(name, model, scaling)
        self.piece_frames = None
        self.options = {"interpolate_pos_encoding": True}


def _frames_to_clips(maps_NDHW: Tensor, frames: int) -> Tensor:
    """Maps of single frames to maps_PDSHW."""
    return maps_NDHW.unflatten(0, (-1, frames)).transpose(1, 2)  # type: ignore[no-any-return,no-untyped-call]

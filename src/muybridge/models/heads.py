"""Temporal heads: from one vector per frame to one vector per clip.

Every head honours the true length of each clip: frames beyond it never reach the result, so a short clip
scores the same alone and padded in a batch.

Axes: B clips, T frames, D features.
"""

from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


class TemporalHead(Protocol):
    """Anything that turns features_BTD and the clips' lengths into features_BD."""

    feature_count: int

    def __call__(self, features_BTD: Tensor, lengths_B: Tensor | None = None) -> Tensor:
        """Summarise each clip; without lengths every clip has T frames."""


def frame_mask(lengths_B: Tensor, frame_count: int) -> Tensor:
    """Mark real frames: (B, T) bool, true where the frame index is below the clip's length."""
    return torch.arange(frame_count, device=lengths_B.device) < lengths_B[:, None]


def partial_lengths(lengths_B: Tensor | None, frame_count: int) -> Tensor | None:
    """Give the lengths on the CPU, or None where every clip has all its frames and nothing is to be masked.

    Raises:
        ValueError: A length is not between 1 and the number of frames.
    """
    if lengths_B is None:
        return None
    lengths_B = lengths_B.cpu()
    if bool(((lengths_B < 1) | (lengths_B > frame_count)).any()):
        raise ValueError(f"clip lengths must be from 1 to {frame_count}, got {lengths_B.tolist()}")
    return None if bool((lengths_B == frame_count).all()) else lengths_B


class MeanHead(nn.Module):
    """The mean over a clip's frames: the baseline that cannot see order."""

    def __init__(self, feature_count: int) -> None:
        super().__init__()
        self.feature_count = feature_count

    def forward(self, features_BTD: Tensor, lengths_B: Tensor | None = None) -> Tensor:
        """Average the real frames of each clip."""
        lengths_B = partial_lengths(lengths_B, features_BTD.shape[1])
        if lengths_B is None:
            return features_BTD.mean(dim=1)
        lengths_B = lengths_B.to(features_BTD.device)
        real_BT1 = frame_mask(lengths_B, features_BTD.shape[1])[:, :, None]
        # masked_fill rather than a product: padding may hold anything, also NaN.
        return features_BTD.masked_fill(~real_BT1, 0).sum(dim=1) / lengths_B[:, None]


class BiLSTMHead(nn.Module):
    """A stack of bidirectional LSTM layers, each with its own width, as in the report.

    All layers but the last pass their whole sequence on. The last gives the forward state after the last
    frame and the backward state after the first, concatenated. First weights are Keras's: Glorot-uniform
    kernels, orthogonal recurrent kernels, and a forget bias of 1 (Jozefowicz et al., 2015).
    """

    def __init__(self, feature_count: int, widths: tuple[int, ...] = (256, 128), dropout: float = 0.0) -> None:
        """Create the stack.

        Args:
            feature_count: D of the input.
            widths: Units per direction of each layer; the result has twice the last of them.
            dropout: On the input of each layer, while training.
        """
        super().__init__()
        if not widths:
            raise ValueError("a BiLSTM head needs at least one layer")
        inputs = [feature_count, *(2 * width for width in widths[:-1])]
        self.layers = nn.ModuleList(
            nn.LSTM(size, width, batch_first=True, bidirectional=True)
            for size, width in zip(inputs, widths, strict=True)
        )
        self.dropout = nn.Dropout(dropout)
        self.feature_count = 2 * widths[-1]
        self._initialise()

    def _initialise(self) -> None:
        for name, parameter in self.layers.named_parameters():
            if "weight_ih" in name:
                nn.init.xavier_uniform_(parameter)
            elif "weight_hh" in name:
                nn.init.orthogonal_(parameter)
            else:
                nn.init.zeros_(parameter)
                if "bias_ih" in name:
                    # Gates are stacked input, forget, cell, output. Torch adds two biases: one holds the 1.
                    units = parameter.shape[0] // 4
                    nn.init.ones_(parameter[units : 2 * units])

    def forward(self, features_BTD: Tensor, lengths_B: Tensor | None = None) -> Tensor:
        """Run over each clip's real frames in both directions.

        Args:
            features_BTD: One vector per frame.
            lengths_B: Frames of each clip, from 1 to T; None if all have T.

        Returns:
            features_BD with D = ``feature_count``.
        """
        frame_count = features_BTD.shape[1]
        lengths_B = partial_lengths(lengths_B, frame_count)
        for layer in self.layers:
            features_BTD = self.dropout(features_BTD)
            if lengths_B is None:
                features_BTD, (state_2BD, _) = layer(features_BTD)
            else:
                packed = pack_padded_sequence(features_BTD, lengths_B, batch_first=True, enforce_sorted=False)
                packed, (state_2BD, _) = layer(packed)
                features_BTD, _ = pad_packed_sequence(packed, batch_first=True, total_length=frame_count)
        return torch.cat([state_2BD[0], state_2BD[1]], dim=-1)

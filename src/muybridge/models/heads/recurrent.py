"""Temporal heads that read a clip step by step: LSTM, and the paper's BiLSTM.

Both are a stack of layers, each with its own width. First weights are Keras's: Glorot-uniform kernels,
orthogonal recurrent kernels, and a forget bias of 1 (Jozefowicz et al., 2015).

Axes: B clips, S steps, D features.
"""

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from muybridge.clip_draws import ClipDropout
from muybridge.models.heads.head import partial_lengths


class LSTMHead(nn.Module):
    """A stack of LSTM layers in the direction of time; the result is the last layer's state after the last step.

    All layers but the last pass their whole sequence on. (A baseline of Kalfaoglu et al., 2020.)
    """

    bidirectional: ClassVar[bool] = False
    positions: int | None = None

    def __init__(self, feature_count: int, widths: tuple[int, ...] = (256,), dropout: float = 0.0) -> None:
        """Create the stack.

        Args:
            feature_count: D of the input.
            widths: Units of each layer, per direction; the result has the last of them for each direction.
            dropout: On the input of each layer, while training.
        """
        super().__init__()
        if not widths:
            raise ValueError("a recurrent head needs at least one layer")
        directions = 2 if self.bidirectional else 1
        inputs = [feature_count, *(directions * width for width in widths[:-1])]
        self.layers = nn.ModuleList(
            nn.LSTM(size, width, batch_first=True, bidirectional=self.bidirectional)
            for size, width in zip(inputs, widths, strict=True)
        )
        self.dropout = ClipDropout(dropout)
        self.feature_count = directions * widths[-1]
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

    def forward(self, features_BSD: Tensor, lengths_B: Tensor | None = None) -> Tensor:
        """Run over each clip's real steps.

        Args:
            features_BSD: One vector per step.
            lengths_B: Steps of each clip, from 1 to S; None if all have S.

        Returns:
            features_BD with D = ``feature_count``.
        """
        step_count = features_BSD.shape[1]
        lengths_B = partial_lengths(lengths_B, step_count)
        for layer in self.layers:
            features_BSD = self.dropout(features_BSD)
            if lengths_B is None:
                features_BSD, (states, _) = layer(features_BSD)
            else:
                packed = pack_padded_sequence(features_BSD, lengths_B, batch_first=True, enforce_sorted=False)
                packed, (states, _) = layer(packed)
                features_BSD, _ = pad_packed_sequence(packed, batch_first=True, total_length=step_count)
        # One state per direction: forward after the last step, backward after the first.
        return torch.cat(list(states), dim=-1)


class BiLSTMHead(LSTMHead):
    """The same in both directions, as in the paper.

    The result is the forward state after the last step and the backward state after the first, concatenated.
    """

    bidirectional: ClassVar[bool] = True

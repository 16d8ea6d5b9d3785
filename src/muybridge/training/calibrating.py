"""What a network's scores are worth: its temperature, and the limit below which a clip shows none of its classes.

Both are set on clips that the network was not fitted on. The temperature is folded into the last layer, so that
whatever computes the scores later, an export too, returns calibrated ones.

Axes: N clips, K classes.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from muybridge.inference.calibration import most_likely_temperature
from muybridge.inference.rejection import Rejection
from muybridge.models.network import RecognizerNet
from muybridge.pipeline.batches import Examples
from muybridge.recipes.training import TrainingConfig
from muybridge.training.scoring import score_examples


@dataclass(frozen=True)
class Calibration:
    """How the scores of a network are to be read.

    Attributes:
        temperature: What its logits are divided by.
        rejection: When a clip shows none of its classes; None: never.
    """

    temperature: float = 1.0
    rejection: Rejection | None = None

    @classmethod
    def of_held_out(cls, logits_NK: Tensor, labels_N: Tensor, config: TrainingConfig) -> "Calibration":
        """What suits the logits of clips that the network was not fitted on.

        Args:
            logits_NK: float64.
            labels_N: Class numbers.
            config: Whether to calibrate, and the share of false alarms.

        """
        if not len(labels_N):
            return cls()
        temperature = 1.0
        if config.calibrate:
            temperature = smoothed_temperature(logits_NK, labels_N)
        if not config.false_alarms:
            return cls(temperature)
        scaled_NK = (logits_NK / temperature).numpy()
        return cls(temperature, Rejection.of_known(scaled_NK, false_alarms=config.false_alarms))

    def apply(self, net: RecognizerNet) -> None:
        """Divide the network's scores by the temperature."""
        scores = net.classifier[-1]
        assert isinstance(scores, nn.Linear)
        with torch.no_grad():
            scores.weight.div_(self.temperature)
            scores.bias.div_(self.temperature)


def smoothed_temperature(logits_NK: Tensor, labels_N: Tensor) -> float:
    """The temperature at which the true classes are most likely, as far as so many clips can tell."""
    return most_likely_temperature(logits_NK.numpy(), labels_N.numpy(), smoothing=1 / (len(labels_N) + 2))


def calibrate(net: RecognizerNet, validation: Examples, config: TrainingConfig, *, device: torch.device) -> Calibration:
    """Calibrate a network on validation clips; its last layer is changed. Without any it stays as it is."""
    if not len(validation) or not (config.calibrate or config.false_alarms):
        return Calibration()
    logits_NK = score_examples(net, validation, device=device)
    found = Calibration.of_held_out(logits_NK, torch.tensor(validation.labels), config)
    found.apply(net)
    return found

"""A trained recognizer on video files: frames in, named scores out.

Notable: what a prediction needs (classes, sampler, size, pixel scaling) is saved with the weights, so a model
sees a new clip exactly as it saw its training clips.

Axes: B batch, T frames, H, W, C (RGB), K classes, V views.
"""

from collections.abc import Hashable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from muybridge.allocator import keep_freed_memory
from muybridge.dataset.catalog import Clip
from muybridge.inference.model import Frames, Model, Scores, read_ahead
from muybridge.inference.views import Views
from muybridge.inference.voting import vote
from muybridge.models.recognizer import RecognizerNet
from muybridge.models.saving import load_recognizer, save_recognizer
from muybridge.pipeline.augmentation import is_sided
from muybridge.pipeline.loader import Item, collate
from muybridge.video.decoding import read_sampled
from muybridge.video.errors import VideoError
from muybridge.video.sampling import Sampler, sampler_from_dict

Windows = Literal["one", "all"]
Combine = Literal["mean", "vote"]

# Views that go through the network together; more would only need more memory.
_VIEWS_AT_ONCE = 16


class Recognizer(Model):
    """A trained network with all that it needs to read a video.

    Args:
        net: The network.
        classes: Names of its K classes.
        sampler: Which frames of a clip it sees.
        size_px: Side of the square frames.
        windows: ``"all"`` if a prediction combines all windows of a clip (a `SlidingSampler`'s), else ``"one"``.
        combine: How the scores of several windows or views become one.
        no_flip_classes: Classes whose clips must not be mirrored, beside those with left or right in their name.
        device: Where it computes; default: a GPU if there is one.
    """

    def __init__(
        self,
        net: RecognizerNet,
        *,
        classes: Sequence[str],
        sampler: Sampler,
        size_px: int,
        windows: Windows = "one",
        combine: Combine = "mean",
        no_flip_classes: Sequence[str] = (),
        device: str | None = None,
    ) -> None:
        keep_freed_memory()
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self.net = net.to(self.device).eval()
        self.classes = tuple(classes)
        self.sampler = sampler
        self.size_px = size_px
        self.windows = windows
        self.combine = combine
        self.sided_classes = tuple(name for name in self.classes if is_sided(name) or name in no_flip_classes)

    @classmethod
    def load(cls, folder: Path, *, device: str | None = None) -> "Recognizer":
        """Load a run, or the model folder inside one.

        Raises:
            UserError: If there is no whole model there.
        """
        if (folder / "model").is_dir():
            folder = folder / "model"
        net, metadata = load_recognizer(folder)
        preprocessing = metadata.preprocessing
        return cls(
            net,
            classes=metadata.classes,
            sampler=sampler_from_dict(preprocessing["sampler"]),
            size_px=preprocessing["size_px"],
            # Models saved before these existed use one window, and say nothing of sides.
            windows=preprocessing.get("windows", "one"),
            combine=preprocessing.get("combine", "mean"),
            no_flip_classes=preprocessing.get("sided_classes", ()),
            device=device,
        )

    def save(self, folder: Path) -> None:
        """Save the network with its classes and preprocessing."""
        preprocessing: dict[str, Any] = {
            "sampler": self.sampler.to_dict(),
            "size_px": self.size_px,
            "windows": self.windows,
            "combine": self.combine,
            "sided_classes": list(self.sided_classes),
        }
        save_recognizer(folder, self.net, classes=self.classes, preprocessing=preprocessing)

    def _score(self, clips: Sequence[Clip], *, views: Views, workers: int | None) -> Iterator[Scores | VideoError]:
        self._check(views)
        for read in read_ahead(clips, lambda clip: self.read(clip, views=views), workers=workers):
            yield read if isinstance(read, VideoError) else self.probabilities(read)

    @property
    def reading(self) -> Hashable:
        """Equal for recognizers that see the same frames of a clip, so that one ``read`` serves them all."""
        return self.sampler, self.size_px, self.windows

    def read(self, clip: Clip, *, views: Views) -> list[Frames] | VideoError:
        """The frames of each view of a clip, or why it could not be decoded; safe to call in threads."""
        try:
            sampled = read_sampled(
                clip.path,
                self.sampler,
                views=1 if views.times is None and self.windows == "one" else views.times,
                size_px=views.read_size_px(self.size_px),
                start_seconds=clip.start_seconds,
                end_seconds=clip.end_seconds,
            )
        except VideoError as error:
            return error
        taken = [sampled.frames_THWC[positions] for positions in sampled.views]
        return [view for frames_THWC in taken for view in views.cut(frames_THWC, self.size_px)]

    def probabilities(self, views: list[Frames]) -> Scores:
        """Class probabilities of one clip from those of its views."""
        parts = (views[start : start + _VIEWS_AT_ONCE] for start in range(0, len(views), _VIEWS_AT_ONCE))
        probabilities_VK = np.concatenate([self._view_probabilities(part) for part in parts])
        return vote(probabilities_VK) if self.combine == "vote" else np.asarray(probabilities_VK.mean(axis=0))

    @torch.inference_mode()
    def _view_probabilities(self, views: list[Frames]) -> Scores:
        batch = collate([Item(frames_THWC, 0) for frames_THWC in views])
        logits_VK = self.net(batch.frames_BTHWC.to(self.device), batch.lengths_B.to(self.device))
        return np.asarray(logits_VK.double().softmax(dim=1).cpu().numpy())

"""A trained recognizer on video files: frames in, named scores out.

Notable: what a prediction needs (classes, sampler, size, pixel scaling) is saved with the weights, so a model
sees a new clip exactly as it saw its training clips.

Axes: B batch, T frames, H, W, C (RGB), K classes, V views.
"""

import copy
from collections.abc import Hashable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from muybridge.errors import VideoError
from muybridge.inference.answers import Answer, Scores
from muybridge.inference.engines.engine import Engine, Frames, Logits, require_finite
from muybridge.inference.engines.torch_engine import TorchEngine
from muybridge.inference.probabilities import softmax, vote
from muybridge.inference.rejection import Rejection, familiarity
from muybridge.inference.trained_model import ArrayClip, Model, Source
from muybridge.inference.views import AS_TRAINED, Views
from muybridge.models.description import COPY_AGAIN, METADATA_FILE, model_folder
from muybridge.models.network import RecognizerNet
from muybridge.models.saving import load_recognizer, save_recognizer
from muybridge.pipeline.augmentation import is_sided
from muybridge.run_schemas import Preprocessing
from muybridge.schemas import convert
from muybridge.system import keep_freed_memory, resolve_device
from muybridge.threads import read_ahead, side_by_side
from muybridge.video.decoding import read_sampled
from muybridge.video.fit_names import Fit
from muybridge.video.sampler import Sampler
from muybridge.video.sampler_values import check_clip_pixels
from muybridge.video.sampling import sampler_from_dict

BATCH_CLIPS, BATCH_PIXELS = 8, 2**19
"""Small clips are computed together, up to 8 of 5 frames of 112 px: alone each is too little work for several cores.
Large ones are not: there is nothing to gain but memory to lose."""

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
        fit: How a picture becomes one.
        windows: ``"all"`` if a prediction combines all windows of a clip (a `SlidingSampler`'s), else ``"one"``.
        combine: How the scores of several windows or views become one.
        no_flip_classes: Classes whose clips must not be mirrored, besides those with left or right in their name.
        unfinished: Of which epochs it is the best, if its training was interrupted.
        rejection: When a clip shows none of the classes; None: it always names one.
        refitted: The parts of its run's split that it was fitted on after another model was measured; else empty.
        weights_sha256: Of the file of weights that it was loaded from; empty for one that was not.
        device: Where it computes: ``auto``, ``cpu``, ``cuda``, ``cuda:1`` or ``mps``; see ``system.resolve_device``.
    """

    def __init__(
        self,
        net: RecognizerNet,
        *,
        classes: Sequence[str],
        sampler: Sampler,
        size_px: int,
        fit: Fit = "squash",
        windows: Windows = "one",
        combine: Combine = "mean",
        no_flip_classes: Sequence[str] = (),
        unfinished: str = "",
        rejection: Rejection | None = None,
        refitted: Sequence[str] = (),
        weights_sha256: str = "",
        device: str | torch.device = "auto",
    ) -> None:
        keep_freed_memory()
        self.device = resolve_device(device)
        self.net = net
        # It gives features, too, whatever computes the scores.
        self.torch_engine = TorchEngine(net, device=self.device)
        # Replaced by ``use``; the network stays, as what is saved.
        self.engine: Engine = self.torch_engine
        self.classes = tuple(classes)
        self.sampler = sampler
        self.size_px = size_px
        self.fit: Fit = fit
        self.windows = windows
        self.combine = combine
        self.unfinished = unfinished
        self.rejection = rejection
        self.refitted = tuple(refitted)
        self.weights_sha256 = weights_sha256
        self.sided_classes = tuple(name for name in self.classes if is_sided(name) or name in no_flip_classes)

    def __reduce__(self) -> tuple[Any, ...]:
        """As it goes to another process, which computes on its own device; an export that computes here stays here."""
        return _recognizer, (copy.deepcopy(self.net).cpu(), self._values())

    def in_torch(self) -> "Recognizer":
        """The same model where an export computes: one that computes in torch, and shares its network."""
        if isinstance(self.engine, TorchEngine):
            return self
        other = Recognizer(self.net, **self._values())
        other.engine = other.torch_engine = self.torch_engine
        return other

    def _values(self) -> dict[str, Any]:
        return {
            "classes": self.classes,
            "sampler": self.sampler,
            "size_px": self.size_px,
            "fit": self.fit,
            "windows": self.windows,
            "combine": self.combine,
            "no_flip_classes": self.sided_classes,
            "unfinished": self.unfinished,
            "rejection": self.rejection,
            "refitted": self.refitted,
            "weights_sha256": self.weights_sha256,
            "device": self.device,
        }

    @classmethod
    def load(cls, folder: Path, *, device: str | torch.device = "auto") -> "Recognizer":
        """Load a run, or the model folder inside one.

        Raises:
            UserError: If there is no whole model there, or no such device.
        """
        folder = model_folder(folder)
        net, metadata = load_recognizer(folder)
        made = convert(metadata.preprocessing, Preprocessing, where=str(folder / METADATA_FILE), hint=COPY_AGAIN)
        sampler = sampler_from_dict(made.sampler)
        check_clip_pixels(getattr(sampler, "frames", 0), made.size_px)
        return cls(
            net,
            classes=metadata.classes,
            sampler=sampler,
            size_px=made.size_px,
            fit=made.fit,
            windows=made.windows,
            combine=made.combine,
            no_flip_classes=made.sided_classes,
            unfinished=metadata.unfinished,
            rejection=Rejection.of_values(metadata.rejection) if metadata.rejection else None,
            refitted=metadata.refitted,
            weights_sha256=metadata.weights_sha256,
            device=device,
        )

    def save(self, folder: Path) -> None:
        """Save the network with its classes and preprocessing."""
        save_recognizer(
            folder,
            self.net,
            classes=self.classes,
            preprocessing=self.preprocessing,
            unfinished=self.unfinished,
            rejection=self.rejection.to_dict() if self.rejection else None,
            refitted=self.refitted,
        )

    def _score(self, clips: Sequence[Source], *, views: Views, workers: int | None) -> Iterator[Answer | VideoError]:
        self.check_views(views)
        reads = read_ahead(clips, lambda clip: self.read(clip, views=views), workers=workers, ahead=BATCH_CLIPS)
        for answers in side_by_side(_batches(reads), self._answers, workers=min(self.workers, len(clips))):
            yield from answers

    def _answers(self, batch: Sequence[list[Frames] | VideoError]) -> list[Answer | VideoError]:
        found = iter(self.answers([read for read in batch if not isinstance(read, VideoError)]))
        return [read if isinstance(read, VideoError) else next(found) for read in batch]

    @property
    def workers(self) -> int:
        """See `Model`."""
        return self.engine.workers

    def decode(self, clip: Source, *, views: Views = AS_TRAINED) -> list[Frames] | VideoError:
        """See `Model`; here the frames of each view."""
        self.check_views(views)
        return self.read(clip, views=views)

    def answers(self, decoded: Sequence[list[Frames]]) -> list[Answer]:
        """See `Model`."""
        if not decoded:
            return []
        logits_NK = self._logits([view for views in decoded for view in views])
        borders = np.cumsum([len(views) for views in decoded])[:-1]
        return [self.answer(logits_VK) for logits_VK in np.split(logits_NK, borders)]

    @property
    def reading(self) -> Hashable:
        """Equal for recognizers that see the same frames of a clip, so that one ``read`` serves them all."""
        return self.sampler, self.size_px, self.fit, self.windows

    def read(self, clip: Source, *, views: Views) -> list[Frames] | VideoError:
        """The frames of each view of a clip, or why it could not be decoded; safe to call in threads."""
        count = 1 if views.times is None and self.windows == "one" else views.times
        asked: dict[str, Any] = {
            "views": count,
            "size_px": views.read_size_px(self.size_px),
            "fit": self.fit,
            "start_seconds": clip.start_seconds,
            "end_seconds": clip.end_seconds,
        }
        try:
            if isinstance(clip, ArrayClip):
                taken = clip.frames.views(self.sampler, **asked)
            else:
                sampled = read_sampled(clip.path, self.sampler, **asked)
                taken = [sampled.frames_THWC[positions] for positions in sampled.views]
        except VideoError as error:
            return error
        return [view for frames_THWC in taken for view in views.cut(frames_THWC, self.size_px)]

    def use(self, engine: Engine) -> None:
        """Let an engine that was exported from this recognizer compute in place of the network."""
        self.engine = engine

    @property
    def preprocessing(self) -> dict[str, Any]:
        """How the network's input is made from a video, as plain values."""
        return {
            "sampler": self.sampler.to_dict(),
            "size_px": self.size_px,
            "fit": self.fit,
            "windows": self.windows,
            "combine": self.combine,
            "sided_classes": list(self.sided_classes),
        }

    def probabilities(self, views: list[Frames]) -> Scores:
        """Class probabilities of one clip from those of its views."""
        return self.combined(self._logits(views))

    def _logits(self, views: Sequence[Frames]) -> Logits:
        """Scores of views, a few at a time, so that many views take no more memory than one."""
        parts = (views[start : start + _VIEWS_AT_ONCE] for start in range(0, len(views), _VIEWS_AT_ONCE))
        logits_NK = np.concatenate([self.engine.score(part) for part in parts])
        require_finite(logits_NK)
        return logits_NK

    def answer(self, logits_VK: Logits) -> Answer:
        """What is said of one clip, from the scores of its views."""
        exact_VK = logits_VK.astype(np.float64)
        rejected = self.rejection is not None and self.rejection.rejects(exact_VK)
        return Answer(self.combined(logits_VK), rejected, familiarity(exact_VK))

    def combined(self, logits_VK: Logits) -> Scores:
        """Class probabilities of one clip from the scores of its views, whatever computed them."""
        probabilities_VK = softmax(logits_VK.astype(np.float64))
        return vote(probabilities_VK) if self.combine == "vote" else np.asarray(probabilities_VK.mean(axis=0))


def _recognizer(net: RecognizerNet, values: dict[str, Any]) -> Recognizer:
    return Recognizer(net, **values)


def _batches(reads: Iterable[list[Frames] | VideoError]) -> Iterator[list[list[Frames] | VideoError]]:
    """Consecutive clips that are computed in one call, in order."""
    batch: list[list[Frames] | VideoError] = []
    pixels = 0
    for read in reads:
        size = 0 if isinstance(read, VideoError) else sum(view.size // 3 for view in read)
        if batch and (len(batch) == BATCH_CLIPS or pixels + size > BATCH_PIXELS):
            yield batch
            batch, pixels = [], 0
        batch.append(read)
        pixels += size
    if batch:
        yield batch

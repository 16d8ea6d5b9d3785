"""Several trained recognizers as one model.

Notable: members may differ in everything but the set of their classes; they are aligned by name. A file is decoded
once for all members that see the same frames. On disk an ensemble is a folder that holds its members as whole
model folders of their own, next to a ``model.json`` with the rule, written last, and the checksums of theirs.

Axes: M members, K classes.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch

from muybridge.dataset.catalog import Clip
from muybridge.errors import UserError, VideoError
from muybridge.files import content_hash, write_json
from muybridge.inference.answers import Answer, Scores
from muybridge.inference.combining import Combination
from muybridge.inference.engines.engine import Frames
from muybridge.inference.predictions import ClipPrediction
from muybridge.inference.recognizer import Recognizer
from muybridge.inference.trained_model import Model, Source, clip_prediction
from muybridge.inference.views import AS_TRAINED, Views
from muybridge.models.description import METADATA_FILE, read_description
from muybridge.run_schemas import EnsembleModelFile
from muybridge.schemas import require_sealed, sealed
from muybridge.text import only_in_each
from muybridge.threads import read_ahead, side_by_side

FORMAT = "muybridge-ensemble"
FORMAT_VERSION = 1
MEMBERS_FOLDER = "members"


class Ensemble(Model):
    """Several recognizers that answer together.

    Args:
        members: The recognizers under their names, which serve as folder names.
        combination: How their answers become one.

    Attributes:
        classes: The names of the K classes, in the order of the first member.

    Raises:
        UserError: If the members do not have the same classes.
        ValueError: If the combination is made for another number of members.
    """

    def __init__(self, members: Mapping[str, Recognizer], combination: Combination) -> None:
        if len(members) != len(combination.weights):
            raise ValueError(f"{len(members)} members, but the combination is for {len(combination.weights)}")
        self.members = dict(members)
        self.combination = combination
        first, self.classes = next((name, member.classes) for name, member in members.items())
        for name, member in members.items():
            _check_same_classes(first, self.classes, name, member.classes)
        self.sided_classes = tuple(
            label for label in self.classes if any(label in member.sided_classes for member in members.values())
        )
        self._orders = [[member.classes.index(label) for label in self.classes] for member in members.values()]

    @classmethod
    def load(cls, folder: Path, *, device: str | torch.device = "auto") -> "Ensemble":
        """Load the model folder of an ensemble.

        Raises:
            UserError: If there is no whole ensemble there.
        """
        content = read_description(folder, EnsembleModelFile, kind=FORMAT, version=FORMAT_VERSION)
        path = folder / METADATA_FILE
        checksums = {member.name: member.model_json_sha256 for member in content.members}
        members = {}
        for name, checksum in checksums.items():
            if Path(name).name != name:
                raise UserError(f"{path} is damaged: {name!r} is no name of a member; copy the whole folder again")
            # Its model.json in turn vouches for its weights.
            description = folder / MEMBERS_FOLDER / name / METADATA_FILE
            if not description.is_file() or content_hash(description) != checksum:
                raise UserError(f"{description} is not the one that belongs to {path}; copy the whole folder again")
            members[name] = Recognizer.load(description.parent, device=device)
        try:
            ensemble = cls(members, Combination.of_values(content.combination))
        except (UserError, ValueError, StopIteration) as error:
            raise UserError(f"{path} is damaged ({error}); copy the whole folder again") from error
        if ensemble.classes != content.classes:
            raise UserError(f"{path} is damaged: its classes are not those of its members; copy the whole folder again")
        require_sealed(path)
        return ensemble

    def save(self, folder: Path) -> None:
        """Save all members and the rule; ``folder`` must not hold another model."""
        checksums = []
        for name, member in self.members.items():
            member.save(folder / MEMBERS_FOLDER / name)
            checksum = content_hash(folder / MEMBERS_FOLDER / name / METADATA_FILE)
            checksums.append({"name": name, "model_json_sha256": checksum})
        content = {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "classes": list(self.classes),
            "combination": self.combination.to_dict(),
            "members": checksums,
        }
        write_json(folder / METADATA_FILE, sealed(content))

    def predict_members(
        self, clips: Sequence[Clip], *, views: Views = AS_TRAINED, workers: int | None = None
    ) -> Iterator[tuple[ClipPrediction, ...]]:
        """What each member says of each clip, over the ensemble's classes; arguments as in ``predict_clips``."""
        found = self._score_members(clips, views=views, workers=workers)
        for clip, answers in zip(clips, found, strict=True):
            said = [answer if isinstance(answer, VideoError) else Answer(answer) for answer in answers]
            yield tuple(clip_prediction(clip, answer) for answer in said)

    def _score(self, clips: Sequence[Source], *, views: Views, workers: int | None) -> Iterator[Answer | VideoError]:
        for answers in self._score_members(clips, views=views, workers=workers):
            failures = [answer for answer in answers if isinstance(answer, VideoError)]
            decoded = [answer for answer in answers if not isinstance(answer, VideoError)]
            yield failures[0] if failures else Answer(self.combination(np.stack(decoded)))

    def decode(self, clip: Source, *, views: Views = AS_TRAINED) -> list[list[Frames]] | VideoError:
        """See `Model`; here the views for each member."""
        self.check_views(views)
        found: list[list[Frames]] = []
        for read in self._read(clip, views=views):
            if isinstance(read, VideoError):
                return read
            found.append(read)
        return found

    def answers(self, decoded: Sequence[list[list[Frames]]]) -> list[Answer]:
        """See `Model`."""
        by_member = [
            [answer.probabilities[order] for answer in member.answers([reads[number] for reads in decoded])]
            for number, (member, order) in enumerate(zip(self.members.values(), self._orders, strict=True))
        ]
        return [Answer(self.combination(np.stack(scores))) for scores in zip(*by_member, strict=True)]

    def _score_members(
        self, clips: Sequence[Source], *, views: Views, workers: int | None
    ) -> Iterator[list[Scores | VideoError]]:
        self.check_views(views)
        reads = read_ahead(clips, partial(self._read, views=views), workers=workers)
        yield from side_by_side(reads, self._member_scores, workers=min(self.workers, len(clips)))

    def _member_scores(self, reads: Sequence[list[Frames] | VideoError]) -> list[Scores | VideoError]:
        return [
            read if isinstance(read, VideoError) else member.probabilities(read)[order]
            for member, order, read in zip(self.members.values(), self._orders, reads, strict=True)
        ]

    @property
    def workers(self) -> int:
        """See `Model`."""
        return min(member.workers for member in self.members.values())

    def _read(self, clip: Source, *, views: Views) -> list[list[Frames] | VideoError]:
        """The views of a clip for each member; members that see the same frames share them."""
        by_reading = {member.reading: member for member in self.members.values()}
        reads = {reading: member.read(clip, views=views) for reading, member in by_reading.items()}
        return [reads[member.reading] for member in self.members.values()]


def _check_same_classes(first: str, classes: Sequence[str], other: str, other_classes: Sequence[str]) -> None:
    """Check that two models know the same classes, in any order.

    Raises:
        UserError: If not; it names the difference.
    """
    if difference := only_in_each(classes, other_classes):
        raise UserError(
            f"members of an ensemble must have the same classes; only {first} has: {difference[0]}; "
            f"only {other} has: {difference[1]}"
        )

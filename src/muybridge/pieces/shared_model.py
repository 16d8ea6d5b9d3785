"""The model of a job, on each machine that works at it: found again by path or URL, and known by its hash."""

import platform
from dataclasses import dataclass
from pathlib import Path

from muybridge.errors import UserError
from muybridge.files import content_hash
from muybridge.models.description import METADATA_FILE, model_folder
from muybridge.remote_runs import local_run
from muybridge.storage.urls import url_at


@dataclass(frozen=True)
class SharedModel:
    """A model that several processes load.

    Attributes:
        where: The path from the root, or the URL, of the run or model folder.
        inside: Where in it the model lies; empty for the whole.
        sha256: Of its description, which vouches for its weights and for its members.
    """

    where: str
    inside: str
    sha256: str

    @classmethod
    def of(cls, run: str | Path, folder: Path, *, inside: str = "") -> "SharedModel":
        """What other processes need to load a model.

        Args:
            run: A run directory or a model folder, or the URL of one.
            folder: Where it is on this machine.
            inside: Where in it the model lies, if that is not the run's own.
        """
        return cls(url_at(run) or str(folder.absolute()), inside, _hash(folder / inside))

    def folder(self) -> Path:
        """A folder of this machine that holds it.

        Raises:
            UserError: It is not there, or another.
        """
        folder = local_run(Path(self.where)) / self.inside
        if _hash(folder) != self.sha256:
            raise UserError(f"{self.where} is another model on the machine {platform.node()}; copy it there again")
        return folder


def _hash(folder: Path) -> str:
    return content_hash(model_folder(folder) / METADATA_FILE)

"""Where an encoder's first weights come from, in words for a run's record."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from muybridge.files import content_hash
from muybridge.models.weights.finding import find_all
from muybridge.models.weights.published import DATA_SETS, PRETRAINED
from muybridge.recipes.model import ModelConfig


@dataclass(frozen=True)
class WeightsOrigin:
    """The file that an encoder started from. What is unknown is None.

    Attributes:
        file: Name of the file; for a model of timm or transformers its name there.
        sha256: Checksum of the file's bytes, in hexadecimal.
        trained_on: Name of the data set that the weights were trained on.
        source: Address that the file is published at.
        licence: Licence of the weights.
    """

    file: str
    sha256: str | None = None
    trained_on: str | None = None
    source: str | None = None
    licence: str | None = None


def weights_origins(config: ModelConfig) -> tuple[WeightsOrigin, ...]:
    """The origin of the weights that each encoder of a network started from; empty without such weights.

    Nothing is downloaded: the network was built before.

    Args:
        config: The network.

    Raises:
        UserError: If a file is not there any more.
    """
    if not config.pretrained:
        return ()
    if config.adapter:
        return (WeightsOrigin(config.encoder),)
    return tuple(_origin(path) for path in find_all(config, download=False).values())


def weights_record(config: ModelConfig) -> dict[str, Any] | list[dict[str, Any]] | None:
    """The same for environment.json: of one encoder the names and values, of several a list of them.

    Raises:
        UserError: If a file is not there any more.
    """
    records = [asdict(origin) for origin in weights_origins(config)]
    return records if len(records) > 1 else next(iter(records), None)


def _origin(path: Path) -> WeightsOrigin:
    digest = content_hash(path)
    # By name and, where one is published, by checksum: a user's own file may have the same name.
    published = [entry for entry in PRETRAINED if entry.file_name == path.name and digest.startswith(entry.sha256)]
    if not published:
        return WeightsOrigin(path.name, digest)
    entry = published[0]
    return WeightsOrigin(path.name, digest, DATA_SETS[entry.data_set], entry.url, entry.licence)

"""Where an encoder's first weights come from, in words for a run's record."""

from dataclasses import dataclass

from muybridge.files import content_hash
from muybridge.models.weights.finding import resolve
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


def weights_origin(config: ModelConfig) -> WeightsOrigin | None:
    """The origin of the weights that a network built from ``config`` started from; None without such weights.

    Nothing is downloaded: the network was built before.

    Raises:
        UserError: If the file is not there any more.
    """
    if not config.pretrained:
        return None
    if config.adapter:
        return WeightsOrigin(config.encoder)
    path = resolve(
        config.encoder,
        config.width,
        config.weights,
        with_classifier=config.encoder_output == "logits",
        download=False,
    )
    assert path is not None  # only "none" has no file
    digest = content_hash(path)
    # By name and, where one is published, by checksum: a user's own file may have the same name.
    published = [entry for entry in PRETRAINED if entry.file_name == path.name and digest.startswith(entry.sha256)]
    if not published:
        return WeightsOrigin(path.name, digest)
    entry = published[0]
    return WeightsOrigin(path.name, digest, DATA_SETS[entry.data_set], entry.url, entry.licence)

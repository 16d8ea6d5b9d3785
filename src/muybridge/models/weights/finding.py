"""Finding a file of published weights.

A file is taken from the first place that has it: the path that the user named, the folder MUYBRIDGE_WEIGHTS, the
download cache, the publisher. A download is checked before it takes its name, so a broken one never lies in
the cache. Free of torch; ``published`` lists the files, ``loading`` puts the tensors into an encoder.
"""

import os
import re
import sys
from pathlib import Path
from typing import Any

from muybridge.errors import UserError
from muybridge.files import content_hash, git_blob_hash
from muybridge.models.weights.published import DATA_SETS, PRETRAINED, Pretrained
from muybridge.recipes.model import ModelConfig
from muybridge.text import did_you_mean

WEIGHTS_VARIABLE = "MUYBRIDGE_WEIGHTS"
TIMEOUT_SECONDS = 30


def resolve(
    encoder: str,
    width: float,
    choice: str,
    *,
    with_classifier: bool = False,
    download: bool = True,
    weights_dir: Path | None = None,
    cache_dir: Path | None = None,
) -> Path | None:
    """Find the file of weights that the user chose, downloading it if need be.

    Args:
        encoder: Name of the encoder, as in ``ModelConfig``.
        width: Its width multiplier.
        choice: ``"none"``, ``"pretrained"`` (on the data set that is usual for the encoder, at its usual size), a
            data set (``"imagenet"``, ``"kinetics"``, ``"ig65m"``), each also as ``"imagenet-SIZE"``, or a path.
        with_classifier: Whether the file must hold the classifier too.
        download: Whether it may be fetched from its publisher.
        weights_dir: Folder searched first; by default the one that MUYBRIDGE_WEIGHTS names, if any.
        cache_dir: Folder that keeps downloads; by default one in the user's cache.

    Returns:
        The file, or None for ``"none"``.

    Raises:
        UserError: Nothing is published for the choice, the path is missing, the file is not what it should
            be, or it cannot be downloaded; the message then says which file to put where.
    """
    if choice == "none":
        return None
    match = re.fullmatch(rf"(pretrained|{'|'.join(DATA_SETS)})(?:-(\d+))?", choice)
    if match is None:
        return _given_path(choice)
    size_px = None if match[2] is None else int(match[2])
    entries = _published(encoder, width, data_set=match[1], size_px=size_px, with_classifier=with_classifier)

    if weights_dir is None and os.environ.get(WEIGHTS_VARIABLE):
        weights_dir = Path(os.environ[WEIGHTS_VARIABLE]).expanduser()
    if weights_dir is not None and not weights_dir.is_dir():
        raise UserError(f"{weights_dir} is not a folder; {WEIGHTS_VARIABLE} must name the folder of weight files")
    cache_dir = _default_cache() if cache_dir is None else cache_dir
    for folder in (weights_dir, cache_dir):
        for entry in entries:
            if folder is not None and (folder / entry.file_name).is_file():
                _check(folder / entry.file_name, entry, origin=str(folder / entry.file_name))
                return folder / entry.file_name
    if not download:
        raise UserError(
            f"{entries[0].file_name} is neither in {weights_dir or WEIGHTS_VARIABLE} nor in {cache_dir}; put it into "
            "one of them"
        )
    published = [entry for entry in entries if entry.url is not None]
    if not published:
        raise UserError(
            f"{entries[0].file_name} is in no folder searched and is published nowhere as such; put it in "
            f"{cache_dir}, or in a folder that the variable {WEIGHTS_VARIABLE} names, "
            f"or train without pretrained weights: model.weights none"
        )
    return _download(published[0], cache_dir)


def find_all(
    config: ModelConfig, choice: str | None = None, *, download: bool = True, weights_dir: Path | None = None
) -> dict[str, Path]:
    """Find the file of each encoder of a network, as ``resolve`` does.

    Args:
        config: The network; its encoder is not an adapter's.
        choice: In place of ``config.weights``.
        download: Whether files may be fetched from their publishers.
        weights_dir: Folder searched first.

    Returns:
        Encoder to file, in the order of the configuration; empty without pretrained weights.

    Raises:
        UserError: One cannot be had.
    """
    found: dict[str, Path] = {}
    for encoder in config.encoders:
        path = resolve(
            encoder,
            config.width,
            config.weights if choice is None else choice,
            with_classifier=config.output == "logits",
            download=download,
            weights_dir=weights_dir,
        )
        if path is not None:
            found[encoder] = path
    return found


def encoder_of(path: Path, encoder: str) -> str:
    """The encoder that a file of ``resolve`` is for: ``encoder``, or a substitute for it.

    Args:
        path: The file.
        encoder: The encoder it was found for.
    """
    stand_ins = [entry for entry in PRETRAINED if entry.stands_in_for == encoder and entry.file_name == path.name]
    return stand_ins[0].encoder if stand_ins else encoder


def _given_path(choice: str) -> Path:
    path = Path(choice).expanduser()
    if path.is_file():
        return path
    hint = did_you_mean(choice, ["pretrained", *DATA_SETS, "none", "the path of a file"])
    raise UserError(f"model.weights is {choice!r}, and there is no such file{hint}")


def _published(
    encoder: str, width: float, *, data_set: str, size_px: int | None, with_classifier: bool
) -> list[Pretrained]:
    """List the files that fit, best first; the last resort is always one that can be downloaded."""
    of_encoder = [entry for entry in PRETRAINED if encoder in (entry.encoder, entry.stands_in_for)]
    if not of_encoder:
        raise UserError(f"no pretrained weights are published for {encoder}; say model.weights none")
    if data_set == "pretrained":
        data_set = of_encoder[0].data_set
    fitting = [entry for entry in of_encoder if entry.data_set == data_set]
    if not fitting:
        known = ", ".join(dict.fromkeys(entry.data_set for entry in of_encoder))
        raise UserError(
            f"no weights trained on {data_set} are published for {encoder}; there are {known}; "
            f"say model.weights pretrained, or none"
        )
    size_px = fitting[0].size_px if size_px is None else size_px
    entries = [entry for entry in fitting if entry.width == width and entry.size_px == size_px]
    if not entries:
        sizes = sorted({(entry.width, entry.size_px) for entry in fitting}, reverse=True)
        choices = ", ".join(f"width {width:g} at {size_px} px" for width, size_px in sizes)
        raise UserError(
            f"no {DATA_SETS[fitting[0].data_set]} weights are published for {encoder} of width {width:g} trained at "
            f"{size_px} px; there are {choices}; or train without: model.weights none"
        )
    classifying = [entry for entry in entries if entry.has_classifier or not with_classifier]
    if not classifying:
        raise UserError(f"the {data_set} weights of {encoder} have no class scores; say model.encoder_output maps")
    return classifying


def _default_cache() -> Path:
    import pooch

    return Path(pooch.os_cache("muybridge")) / "weights"


def _check(path: Path, entry: Pretrained, *, origin: str) -> None:
    """Compare the checksums with the published ones; the message names the file by ``origin``."""
    for kind, published, compute in (
        ("sha256", entry.sha256, content_hash),
        ("Git blob", entry.git_blob, git_blob_hash),
    ):
        if published and not (digest := compute(path)).startswith(published):
            raise UserError(
                f"{origin} is damaged or another file: its {kind} starts with {digest[:8]}, "
                f"that of {entry.file_name} with {published[:8]}; get it anew, or give model.weights PATH"
            )


def _download(entry: Pretrained, cache_dir: Path) -> Path:
    """Fetch a published file into the cache; it appears there whole and checked, or not at all."""
    import pooch

    def fetch(url: str, output_file: str, manager: Any) -> None:
        download = pooch.HTTPDownloader(progressbar=sys.stderr.isatty(), timeout=TIMEOUT_SECONDS)
        download(url, output_file, manager)
        # Here rather than by pooch, which knows whole checksums only: output_file still is a temporary one.
        _check(Path(output_file), entry, origin=url)

    pooch.get_logger().setLevel("WARNING")
    try:
        path = pooch.retrieve(entry.url, known_hash=None, fname=entry.file_name, path=cache_dir, downloader=fetch)
    except OSError as error:  # requests' exceptions are OSErrors, and so is a full disk
        raise UserError(
            f"cannot download {entry.url} ({_reason(error)}); get {entry.file_name} elsewhere and put it in "
            f"{cache_dir}, or in a folder that the variable {WEIGHTS_VARIABLE} names, "
            f"or train without pretrained weights: model.weights none"
        ) from error
    return Path(path)


def _reason(error: OSError) -> str:
    """Say in few words why a request failed; the texts of requests run over several lines."""
    response = getattr(error, "response", None)
    if response is not None:
        return f"HTTP status {response.status_code}"
    return error.strerror or type(error).__name__

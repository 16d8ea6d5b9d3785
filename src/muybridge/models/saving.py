"""A trained recognizer on disk: ``model.safetensors`` (tensors) and ``model.json`` (everything else).

The JSON holds the architecture, the classes and the preprocessing, so the folder alone is enough to
predict. It takes its name last and holds the checksum of the tensors, so a pair that does not belong
together is noticed. Loading runs no code from the files.
"""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from muybridge.errors import UserError
from muybridge.files import content_hash, replacing, require_sealed, sealed
from muybridge.models.network import RecognizerNet, build
from muybridge.recipes.model import ModelConfig

WEIGHTS_FILE = "model.safetensors"
METADATA_FILE = "model.json"
FORMAT = "muybridge-recognizer"
FORMAT_VERSION = 1


@dataclass(frozen=True)
class SavedModel:
    """What ``model.json`` says about the tensors."""

    config: ModelConfig
    classes: tuple[str, ...]
    # How frames are chosen, sized and ordered before they reach the network; its keys belong to the caller.
    preprocessing: Mapping[str, Any]
    # Of which epochs it is the best, if its training was interrupted; else empty.
    unfinished: str = ""
    # When a clip shows none of the classes; the caller's, too. None: never.
    rejection: Mapping[str, Any] | None = None
    # The parts of its run's split that it was fitted on after another model was measured.
    refitted: tuple[str, ...] = ()


def save_recognizer(
    folder: Path,
    net: RecognizerNet,
    *,
    classes: Sequence[str],
    preprocessing: Mapping[str, Any],
    unfinished: str = "",
    rejection: Mapping[str, Any] | None = None,
    refitted: Sequence[str] = (),
) -> None:
    """Save a recognizer.

    Args:
        folder: Where; created if need be, and a model already there is replaced.
        net: The network.
        classes: Names of its K classes, in the order of its scores.
        preprocessing: Whatever is needed to make its input from a file; must be JSON.
        unfinished: What there is to say of a model whose training was interrupted.
        rejection: When a clip shows none of the classes, as plain values; None: never.
        refitted: The parts of its run's split that it was fitted on after another model was measured.
    """
    if len(classes) != net.class_count:
        raise ValueError(f"{len(classes)} class names for {net.class_count} scores")
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in net.state_dict().items()}
    # Both are complete before either takes its name, so an error leaves a model that was here as it was.
    with replacing(folder / METADATA_FILE) as metadata, replacing(folder / WEIGHTS_FILE) as weights:
        save_file(tensors, weights)
        content = {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "weights_sha256": content_hash(weights),
            "model": dataclasses.asdict(net.config),
            "classes": list(classes),
            "preprocessing": dict(preprocessing),
        }
        if unfinished:
            content["unfinished"] = unfinished
        if rejection is not None:
            content["none_of_these"] = dict(rejection)
        if refitted:
            content["refitted"] = list(refitted)
        metadata.write_text(json.dumps(sealed(content), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def load_recognizer(folder: Path) -> tuple[RecognizerNet, SavedModel]:
    """Load a saved recognizer, in evaluation mode, on the CPU.

    Raises:
        UserError: The folder holds no recognizer, or a damaged one, or one of a newer version.
    """
    saved, checksum = _read_metadata(folder / METADATA_FILE)
    weights_path = folder / WEIGHTS_FILE
    if not weights_path.is_file():
        raise UserError(f"{folder} has no {WEIGHTS_FILE}; copy the whole folder of the model")
    if content_hash(weights_path) != checksum:
        raise UserError(
            f"{weights_path} does not belong to the {METADATA_FILE} next to it: the file is damaged, "
            f"or saving was interrupted; save or copy the model again"
        )
    net = build(saved.config, len(saved.classes), weights="none")
    try:
        net.load_state_dict(load_file(weights_path))
    except (SafetensorError, RuntimeError) as error:
        raise UserError(
            f"{weights_path} does not hold the tensors that {METADATA_FILE} describes; copy the whole folder of the "
            f"model again ({error})"
        ) from error
    require_sealed(folder / METADATA_FILE)
    return net.eval(), saved


def _read_metadata(path: Path) -> tuple[SavedModel, str]:
    """Read ``model.json``: what it describes and the checksum of the tensors."""
    content = read_description(path.parent, kind=FORMAT, version=FORMAT_VERSION)
    try:
        saved = SavedModel(
            config=ModelConfig(**content["model"]),
            classes=tuple(content["classes"]),
            preprocessing=content["preprocessing"],
            unfinished=str(content.get("unfinished", "")),
            rejection=content.get("none_of_these"),
            refitted=tuple(content.get("refitted", ())),
        )
        return saved, content["weights_sha256"]
    except (KeyError, TypeError) as error:
        raise UserError(
            f"{path} is damaged or of another version ({error}); copy the whole folder of the model again"
        ) from error


def read_description(folder: Path, *, kind: str, version: int) -> dict[str, Any]:
    """Read the ``model.json`` of a model folder.

    Args:
        folder: The model folder.
        kind: The format that it must name.
        version: The version of that format that is understood.

    Raises:
        UserError: There is none, it is damaged, or it describes something else.
    """
    path = folder / METADATA_FILE
    if not path.is_file():
        raise UserError(f"{folder} holds no trained model: there is no {METADATA_FILE} in it; name a run or its model")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{path} is damaged ({error}); copy the whole folder of the model again") from error
    if not isinstance(content, dict) or content.get("format") != kind:
        raise UserError(f"{path} does not describe a {kind.replace('-', ' ')}; name a run or its model")
    if content.get("format_version") != version:
        raise UserError(
            f"{path} has format version {content.get('format_version')}, and this muybridge reads "
            f"{version}; update muybridge"
        )
    content.pop("checksum", None)  # it is looked at when all else is clear, see `require_sealed`
    return content

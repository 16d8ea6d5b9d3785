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

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch.overrides import TorchFunctionMode

from muybridge.errors import UserError
from muybridge.files import content_hash, replacing
from muybridge.models.description import COPY_AGAIN, METADATA_FILE, read_description
from muybridge.models.network import RecognizerNet, build
from muybridge.recipes.model import ModelConfig
from muybridge.recipes.retired import without_retired
from muybridge.run_schemas import ModelFile, Threshold
from muybridge.schemas import LONGEST_REASON, convert, distinct, require_sealed, sealed
from muybridge.text import one_line, printable

WEIGHTS_FILE = "model.safetensors"
FORMAT = "muybridge-recognizer"
FORMAT_VERSION = 1


@dataclass(frozen=True)
class SavedModel:
    """What ``model.json`` says about the tensors."""

    config: ModelConfig
    classes: tuple[str, ...]
    # How frames are chosen, sized and ordered before they reach the network; its keys belong to the caller.
    preprocessing: Mapping[str, Any]
    # Of the tensors' file.
    weights_sha256: str
    # Of which epochs it is the best, if its training was interrupted; else empty.
    unfinished: str = ""
    # When a clip shows none of the classes. None: never.
    rejection: Threshold | None = None
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
    saved = _read_metadata(folder / METADATA_FILE)
    weights_path = folder / WEIGHTS_FILE
    if not weights_path.is_file():
        raise UserError(f"{folder} has no {WEIGHTS_FILE}; copy the whole folder of the model")
    if content_hash(weights_path) != saved.weights_sha256:
        raise UserError(
            f"{weights_path} does not belong to the {METADATA_FILE} next to it: the file is damaged, "
            f"or saving was interrupted; save or copy the model again"
        )
    try:
        if not saved.config.adapter:  # the shape of an adapter's encoder is its library's to say
            _check_shapes(saved, weights_path)
        net = _blank(saved)
        net.load_state_dict(load_file(weights_path))
    except (SafetensorError, RuntimeError) as error:
        raise UserError(
            f"{weights_path} does not hold the tensors that {METADATA_FILE} describes; {COPY_AGAIN} "
            f"({one_line(error, LONGEST_REASON)})"
        ) from error
    require_sealed(folder / METADATA_FILE)
    return net.eval(), saved


def _check_shapes(saved: SavedModel, weights_path: Path) -> None:
    """Compare the network that is described with the tensors in the file, before memory is taken for either.

    Raises:
        RuntimeError: They differ.
    """
    with torch.device("meta"), _NothingDrawn():
        expected = {name: tuple(tensor.shape) for name, tensor in _blank(saved).state_dict().items()}
    with safe_open(weights_path, "pt") as file:
        found = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118 - no mapping
    for name in sorted({*expected, *found}):
        if expected.get(name) != found.get(name):
            raise RuntimeError(f"{name} is {found.get(name, 'missing')}, expected {expected.get(name, 'nothing')}")


class _NothingDrawn(TorchFunctionMode):
    """First weights are left as they are: to draw them without memory, torch would load its compiler, for a second."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is torch.Tensor.normal_ or getattr(func, "__module__", "") == "torch.nn.init":
            return args[0] if args else kwargs["tensor"]
        return func(*args, **kwargs)


def _blank(saved: SavedModel) -> RecognizerNet:
    return build(saved.config, len(saved.classes), weights="none")


def _read_metadata(path: Path) -> SavedModel:
    """Read ``model.json``."""
    content = read_description(path.parent, ModelFile, kind=FORMAT, version=FORMAT_VERSION)
    values = without_retired({"model": content.model}, str(path))["model"]
    return SavedModel(
        config=convert(values, ModelConfig, where=str(path), hint=COPY_AGAIN),
        classes=distinct(tuple(map(printable, content.classes)), where=str(path), what="class", hint=COPY_AGAIN),
        preprocessing=content.preprocessing,
        weights_sha256=content.weights_sha256,
        unfinished=content.unfinished,
        rejection=content.none_of_these,
        refitted=content.refitted,
    )

"""What ``model.json`` says of a model, read without its weights and without torch."""

from pathlib import Path
from typing import TypeVar

from muybridge.errors import UserError
from muybridge.run_schemas import ModelState
from muybridge.schemas import Described, convert, read, read_json

METADATA_FILE = "model.json"
COPY_AGAIN = "copy the whole folder of the model again"

T = TypeVar("T", bound=Described)


def model_folder(path: Path) -> Path:
    """The model folder of a run; the path itself where it is one."""
    inner = path / "model"
    return inner if inner.is_dir() else path


def model_state(folder: Path) -> ModelState:
    """What the ``model.json`` of a recognizer or an ensemble says of its training.

    Raises:
        UserError: There is none, or it is damaged.
    """
    return read(folder / METADATA_FILE, ModelState, hint=COPY_AGAIN)


def read_description(folder: Path, schema: type[T], *, kind: str, version: int) -> T:
    """Read the ``model.json`` of a model folder.

    Args:
        folder: The model folder.
        schema: What it must be.
        kind: The format that it must name.
        version: The version of that format that is understood.

    Raises:
        UserError: There is none, it is damaged, or it describes something else.
    """
    path = folder / METADATA_FILE
    if not folder.exists():
        raise UserError(f"there is no {folder}; name a run or its model")
    if not path.is_file():
        raise UserError(f"{folder} holds no trained model: there is no {METADATA_FILE} in it; name a run or its model")
    values = read_json(path)
    named = convert(values, Described, where=str(path), hint=COPY_AGAIN)
    if named.format != kind:
        raise UserError(f"{path} does not describe a {kind.replace('-', ' ')}; name a run or its model")
    if named.format_version != version:
        raise UserError(
            f"{path} has format version {named.format_version}, and this muybridge reads {version}; update muybridge"
        )
    return convert(values, schema, where=str(path), hint=COPY_AGAIN)

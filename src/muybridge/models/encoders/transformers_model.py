"""What image and video networks of transformers share: their name, how they are run, where their weights are."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from muybridge.errors import UserError
from muybridge.models.encoders.adapted import Adapted, import_extra
from muybridge.models.encoders.scaling import Scaling
from muybridge.text import one_line


class Transformers(Adapted):
    """A mixin for encoders of transformers.

    Attributes:
        name: Its name at the hub, or a local folder.
        in_whole_model: Whether its weights are only found by way of a whole model, of which it is the vision half.
    """

    name: str
    scaling: Scaling
    in_whole_model: bool = False

    @property
    def label(self) -> str:
        """What a recipe calls it."""
        return f"transformers:{self.name}"

    def load_published(self) -> None:
        """Load the weights published under the model's name, from safetensors only.

        Raises:
            UserError: They are not available, or leave layers of the model without values.
        """
        transformers = import_extra("transformers")
        self.model.load_state_dict(_published(transformers, self.name, self.model, in_whole_model=self.in_whole_model))

    def last_hidden(self, **inputs: Any) -> Tensor:
        """Run the model and return its last hidden states.

        Raises:
            UserError: It does not take such input, or returns no hidden states.
        """
        try:
            hidden: Tensor = self.model(**inputs).last_hidden_state
        except (TypeError, ValueError, AttributeError) as error:
            raise UserError(f"{self.label} cannot encode such frames: {one_line(error)}") from error
        return hidden


def side_px(size: Any) -> int:
    """A size in pixels that configurations state as a number or as a pair."""
    return int(size if isinstance(size, int) else size[-1])


def _published(transformers: ModuleType, name: str, model: nn.Module, *, in_whole_model: bool) -> dict[str, Tensor]:
    """The published weights by the keys of ``model``."""
    options = {"use_safetensors": True, "output_loading_info": True, "dtype": torch.float32}
    try:
        with _quiet(transformers):
            if in_whole_model:
                whole, info = transformers.AutoModel.from_pretrained(name, trust_remote_code=False, **options)
                prefix, half = next((f"{path}.", part) for path, part in whole.named_modules() if _alike(part, model))
            else:
                half, info = type(model).from_pretrained(name, config=model.config, **options)  # type: ignore[attr-defined]
                prefix = ""
    except Exception as error:  # a stranger's files can end in any exception of the library
        raise UserError(f"transformers cannot get the weights of {name}: {one_line(error)}") from error
    keys = sorted(info["missing_keys"])
    missing = [key.removeprefix(prefix) for key in keys if key.startswith(prefix) and "pooler" not in key]
    if missing:
        raise UserError(
            f"the weights of transformers:{name} lack {missing[0]} and {len(missing) - 1} more; choose "
            "another model.encoder, or model.weights none"
        )
    state: dict[str, Tensor] = half.state_dict()
    return state


def _alike(part: nn.Module, model: nn.Module) -> bool:
    return type(part) is type(model)


@contextmanager
def _quiet(transformers: ModuleType) -> Iterator[None]:
    """No list of the weights that are left over: those of the text half and of the classifier always are."""
    before = transformers.logging.get_verbosity()
    transformers.logging.set_verbosity_error()
    try:
        yield
    finally:
        transformers.logging.set_verbosity(before)

"""The recipe of a training that names none: from what is available."""

from collections.abc import Callable

from muybridge.errors import UserError
from muybridge.models.weights import resolve
from muybridge.recipes.loading import load_recipe

FIRST = "default"
OTHERS = ("best", "modern-alexnet")
"""Taken in this order where the first one's weights cannot be had; theirs are never downloaded unasked."""


def available_recipe(on_note: Callable[[str], None]) -> str:
    """The default recipe, or where its weights are neither at hand nor to be downloaded, one whose are.

    Args:
        on_note: Told in one line why it is not the default.

    Returns:
        The name of a recipe.

    Raises:
        UserError: No weights are to be had; as for the default recipe, it says which file to put where.
    """
    try:
        _find_weights(FIRST, download=True)
    except UserError as error:
        for name in OTHERS:
            try:
                path = _find_weights(name, download=False)
            except UserError:
                continue
            on_note(f"note: recipe {name}, with {path}; those of the default are not to be had: {error}")
            return name
        raise
    return FIRST


def _find_weights(recipe: str, *, download: bool) -> str:
    model = load_recipe(recipe).model
    return str(resolve(model.encoder, model.width, model.weights, download=download))

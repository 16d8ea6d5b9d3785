"""The recipe of a training that names none: from what is available."""

from collections.abc import Callable
from pathlib import Path

from muybridge.errors import UserError
from muybridge.models.weights.finding import resolve
from muybridge.recipes.store import load_recipe

FIRST = "default"
OTHERS = ("best", "modern-alexnet")
"""Taken in this order where the first one's weights cannot be had; theirs are never downloaded unasked."""


def available_recipe(on_note: Callable[[str], None]) -> str:
    """The default recipe, or where its weights are neither at hand nor to be downloaded, one whose are.

    Args:
        on_note: Told in one line why it is not the default.

    Returns:
        The name of a recipe. With no weights at hand at all it is the default: whoever builds the network fetches
        them, or says which file to put where.
    """
    if _weights(FIRST):
        return FIRST
    at_hand = {name: path for name in OTHERS if (path := _weights(name))}
    if at_hand:
        try:
            _find(FIRST, download=True)
        except UserError as error:
            name, path = next(iter(at_hand.items()))
            on_note(f"note: recipe {name}, with {path}; those of the default are not to be had: {error}")
            return name
    return FIRST


def _weights(recipe: str) -> Path | None:
    """Where the weights of a recipe lie; None if they are not at hand."""
    try:
        return _find(recipe, download=False)
    except UserError:
        return None


def _find(recipe: str, *, download: bool) -> Path | None:
    model = load_recipe(recipe).model
    return resolve(model.encoder, model.width, model.weights, download=download)

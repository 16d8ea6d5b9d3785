"""The recipes that come with the package: what each is, what it costs and what it was measured to be worth.

The figures are those of ``measured.json``, the one place in the package where they are; ``docs/results.md`` and
``docs/reproduction.md`` say how they came about.
"""

import json
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib import resources
from typing import Any

from muybridge.recipes.commented import commented_yaml
from muybridge.recipes.encoder_names import joined
from muybridge.recipes.model import ModelConfig
from muybridge.recipes.recipe import Recipe
from muybridge.recipes.store import load_recipe, read_values, recipe_names

_FIRST = ("default", "best", "light", "mobilenet-bilstm")
"""Those that most people want; the others follow by name."""


@dataclass(frozen=True)
class Measured:
    """Accuracy on test clips.

    Attributes:
        protocol: How the clips were divided.
        correct: Test clips that were right.
        clips: Test clips.
        interval: 95 % interval of the accuracy (Wilson, clips taken as independent), as shares.
        data: Which clips.
        command: What was run.
    """

    protocol: str
    correct: int
    clips: int
    interval: tuple[float, float]
    data: str
    command: str

    @property
    def accuracy(self) -> float:
        """Share of the test clips that were right."""
        return self.correct / self.clips

    def __str__(self) -> str:
        low, high = (100 * end for end in self.interval)
        return (
            f"{100 * self.accuracy:.1f} % ({self.correct} of {self.clips} test clips of {self.data}; protocol "
            f"{self.protocol}; 95 %, Wilson: {low:.1f}-{high:.1f})"
        )


@dataclass(frozen=True)
class RecipeInfo:
    """A recipe that comes with the package.

    Attributes:
        name: Its name, for ``--recipe`` and `load_recipe`.
        encoder: The network that sees the frames.
        head: The network over time.
        gflops: Billion operations for one clip, or for one window of it; a multiply-add is two.
        million_parameters: Size of the network with ten classes.
        measured: Accuracies; under the protocol ``grouped`` first. Empty: not measured.
    """

    name: str
    encoder: str
    head: str
    gflops: float
    million_parameters: float
    measured: tuple[Measured, ...] = field(default=())

    @property
    def recipe(self) -> Recipe:
        """The recipe itself."""
        return load_recipe(self.name)

    def __str__(self) -> str:
        result = "not measured"
        if self.measured:
            first = self.measured[0]
            low, high = (100 * end for end in first.interval)
            result = f"{100 * first.accuracy:.1f} % ({low:.0f}-{high:.0f}), {first.clips} {first.protocol}"
        # Of another library's network, its family: "vjepa2" of "transformers:facebook/vjepa2-vitl-fpc64-256".
        encoder = self.encoder.rpartition("/")[2].partition("-")[0] if ":" in self.encoder else self.encoder
        return f"{self.name:23}{result:30}{self.gflops:6.1f} {encoder}+{self.head}"

    def to_dict(self) -> dict[str, Any]:
        """The same as plain values."""
        measured = [{**asdict(each), "accuracy": each.accuracy} for each in self.measured]
        return {**asdict(self), "measured": measured}


HEADING = f"{'recipe':23}{'accuracy (95 %), clips':30}GFLOPs network"
"""Over the lines that `RecipeInfo` prints as."""


def list_recipes() -> tuple[RecipeInfo, ...]:
    """The recipes that come with the package, the usual ones first."""
    names = sorted(recipe_names(), key=lambda name: (name not in _FIRST, _FIRST.index(name) if name in _FIRST else 0))
    return tuple(_info(name) for name in names)


def describe_recipes() -> str:
    """All recipes, one line each, and what the columns are."""
    infos = list_recipes()
    clips = {f"{each.clips} clips: {each.data}.": None for info in infos for each in info.measured[:1]}
    return "\n".join(
        [
            HEADING,
            *map(str, infos),
            "",
            "Accuracy: share of the test clips that were right, 95 % interval, protocol.",
            *clips,
            "GFLOPs: billion operations for one clip, or one window of it.",
            "All values of a recipe, with comments: muybridge recipes NAME",
        ]
    )


def describe_recipe(name: str) -> str:
    """A recipe as complete, commented YAML; of one that comes with the package, what was measured, too.

    Args:
        name: The name of a recipe, or the path of a YAML file.

    Raises:
        UserError: If there is no such recipe, or a value is wrong.
    """
    recipe = load_recipe(name)
    heading = [f"The recipe {recipe.name}, complete. Edit it and train with: --recipe FILE.yaml"]
    if name in recipe_names():
        info = _info(name)
        heading.append(f"Cost: {info.gflops} GFLOPs a clip, {info.million_parameters} million parameters.")
        heading += [f"Measured: {each}" for each in info.measured] or ["Not measured."]
    return commented_yaml(recipe, heading=heading)


def _info(name: str) -> RecipeInfo:
    # What the YAML says is enough: checking every recipe would take a second.
    model, figures = read_values(name)[0].get("model", {}), _figures()
    known = figures["recipes"][name]
    measured = tuple(
        Measured(
            each["protocol"],
            each["correct"],
            each["clips"],
            tuple(each["interval"]),
            figures["data"][each["data"]],
            each["command"],
        )
        for each in known["measured"]
    )
    return RecipeInfo(
        name=name,
        encoder=str(joined(model.get("encoder", ModelConfig.encoder))),
        head=model.get("head", ModelConfig.head),
        gflops=known["gflops"],
        million_parameters=known["million_parameters"],
        measured=measured,
    )


@cache
def _figures() -> dict[str, Any]:
    text = (resources.files("muybridge.recipes") / "measured.json").read_text("utf-8")
    figures: dict[str, Any] = json.loads(text)
    return figures

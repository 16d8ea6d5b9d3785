"""Recipes from YAML and from dictionaries, checked by the same parser as the command line."""

import dataclasses
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

import cyclopts
from cyclopts import App, CycloptsError, Parameter

from muybridge.errors import UserError
from muybridge.recipes.encoder_names import joined
from muybridge.recipes.recipe import Recipe
from muybridge.recipes.retired import RECIPES, without_retired
from muybridge.text import abbreviated, did_you_mean, one_line
from muybridge.video.sampler_values import renamed_sampler_values


def recipe_names() -> list[str]:
    """Names of the recipes that come with the package."""
    folder = resources.files("muybridge.recipes")
    return sorted(item.name.removesuffix(".yaml") for item in folder.iterdir() if item.name.endswith(".yaml"))


_MOST_RECIPE_BYTES = 1 << 20
_DEEPEST = 16
_LONGEST_REASON = 500

BASE_KEY = "base"
"""``base: NAME`` in a recipe takes over what it does not say itself."""


def read_values(recipe: str) -> tuple[dict[str, Any], str]:
    """Read the values of a recipe and of those it is based on, unchecked.

    Args:
        recipe: The name of a recipe that comes with the package, or the path of a YAML file.

    Returns:
        The values, and where they come from.

    Raises:
        UserError: If there is no such recipe, or it is not YAML.
    """
    if recipe in recipe_names():
        text, source = (resources.files("muybridge.recipes") / f"{recipe}.yaml").read_text("utf-8"), recipe
    else:
        path = Path(recipe)
        if not path.is_file():
            if recipe in RECIPES:
                raise UserError(f"there is no recipe {recipe} any more; use {RECIPES[recipe]}")
            if path.suffix or len(path.parts) > 1:
                raise UserError(f"no recipe file {recipe}; give a YAML file, or a name that 'muybridge recipes' lists")
            raise UserError(f"no recipe {recipe}{did_you_mean(recipe, recipe_names())}")
        text, source = _recipe_text(path), str(path)
    values = _yaml(text, source) or {}
    if not isinstance(values, dict):
        raise UserError(f"{source}: a recipe is a mapping such as 'size_px: 112', this is a {type(values).__name__}")
    if isinstance(values.get("sampler"), Mapping):
        values["sampler"] = renamed_sampler_values(values["sampler"])
    if (base := values.pop(BASE_KEY, None)) is not None:
        if base in RECIPES:
            raise UserError(f"{source}: there is no recipe {base} any more; use {RECIPES[base]}")
        if base not in recipe_names():
            raise UserError(f"{source}: no recipe {base} to be based on{did_you_mean(str(base), recipe_names())}")
        values = _merged(read_values(base)[0], values)
    return values, source


def _recipe_text(path: Path) -> str:
    try:
        size = path.stat().st_size
        if size > _MOST_RECIPE_BYTES:
            raise UserError(
                f"{path} has {size} bytes, which no recipe has; name a YAML file that 'muybridge recipes' made"
            )
        return path.read_text("utf-8")
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise UserError(f"{path} is no recipe: it is not UTF-8 text; save it as UTF-8") from None


def _yaml(text: str, source: str) -> Any:
    """The plain values in a YAML text.

    Raises:
        UserError: If it is not YAML, is nested deeply, or refers to parts of itself: a few lines could then stand for
            more values than there is memory.
    """
    import yaml  # here, because help needs no recipe file

    opening = (
        yaml.BlockMappingStartToken,
        yaml.BlockSequenceStartToken,
        yaml.FlowMappingStartToken,
        yaml.FlowSequenceStartToken,
    )
    closing = yaml.BlockEndToken, yaml.FlowMappingEndToken, yaml.FlowSequenceEndToken
    depth = 0
    try:
        for token in yaml.scan(text, Loader=yaml.SafeLoader):
            depth += isinstance(token, opening) - isinstance(token, closing)
            if depth > _DEEPEST:
                raise UserError(f"{source} is no recipe: it is nested too deeply; write one level of sections")
            if isinstance(token, yaml.AliasToken):
                line = token.start_mark.line + 1
                raise UserError(f"{source}, line {line}: a recipe has no references (*{token.value}); write the value")
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        problem = one_line(getattr(error, "problem", None) or error, _LONGEST_REASON)
        raise UserError(f"{source}{where}: not YAML: {problem}") from None
    except ValueError as error:  # a date that there is not, a number of a million digits
        reason = abbreviated(str(error), _LONGEST_REASON)
        raise UserError(f"{source}: not the values of a recipe ({reason}); correct it") from None


def _merged(base: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in values.items():
        inner = merged.get(key)
        merged[key] = _merged(inner, value) if isinstance(inner, Mapping) and isinstance(value, Mapping) else value
    return merged


def _without(values: Mapping[str, Any], others: Mapping[str, Any]) -> dict[str, Any]:
    """The values under keys that ``others`` do not have."""
    return {
        key: _without(value, others[key]) if key in others else value
        for key, value in values.items()
        if key not in others or isinstance(value, Mapping)
    }


# Lists take all the words that follow (--model.head-widths 256 128); an empty list is not worth an option.
LIST_STYLE = Parameter(consume_multiple=True, negative_iterable=())


def recipe_config(values: Mapping[str, Any], source: str, *, command: Sequence[str] = ()) -> cyclopts.config.Dict:
    """The values of a recipe as defaults for the command line parser, without keys that are gone and were off.

    Args:
        values: Nested plain values.
        source: Where they come from, for error messages.
        command: The words of the command that takes them. They go below its name, since cyclopts drops what has the
            name of another command, as the section ``cache`` has.

    Raises:
        UserError: For a key that no recipe has, or one that is gone and was on.
    """
    values = without_retired(values, source)
    _check_keys(values, Recipe(), source)
    if "encoder" in (model := values.get("model", {})):
        try:
            # The parser would take a list for several values of one flag.
            values = {**values, "model": {**model, "encoder": joined(model["encoder"])}}
        except UserError as error:
            raise UserError(f"{source}: {error}") from None
    # A flag --name is the run's name; the recipe's own has another flag.
    flagged = {"recipe-name" if key == "name" else key: value for key, value in values.items()}
    for word in reversed(command):
        flagged = {word: flagged}
    return cyclopts.config.Dict(flagged, source=source)


def parse_recipe(
    values: Mapping[str, Any],
    *,
    source: str,
    flags: Sequence[str] = (),
    first: tuple[Mapping[str, Any], str] | None = None,
) -> Recipe:
    """Check values and make a recipe of them; what is not named keeps its default.

    Args:
        values: Nested plain values.
        source: Where they come from, for error messages.
        flags: Command line flags that go before the values, such as ``["--sampler.frames", "5"]``.
        first: Nested plain values that go before the others, too, and where they come from.

    Raises:
        UserError: For an unknown key or a bad value, with a did-you-mean.
    """
    config = [recipe_config(values, source)]
    if first is not None:
        config = [recipe_config(*first), recipe_config(_without(values, first[0]), source)]
    app = App(config=config, result_action="return_value", default_parameter=LIST_STYLE)

    @app.default
    def collect(*, recipe: Annotated[Recipe, Parameter(name="*")] = Recipe()) -> Recipe:  # noqa: B008 - frozen
        return recipe

    try:
        return app(list(flags), exit_on_error=False, print_error=False)  # type: ignore[no-any-return]
    except CycloptsError as error:
        raise UserError(one_line(error, _LONGEST_REASON)) from None


def _check_keys(values: Mapping[str, Any], section: Any, source: str, prefix: str = "") -> None:
    """The parser would refuse an unknown key too, but it compares it with flags, not with keys."""
    known = [field.name for field in dataclasses.fields(section)]
    for key, value in values.items():
        if key not in known:
            raise UserError(f"{source}: unknown key {prefix}{key}{did_you_mean(str(key), known)}")
        inner = getattr(section, key)
        if dataclasses.is_dataclass(inner):
            if not isinstance(value, Mapping):
                raise UserError(f"{source}: {prefix}{key} is a section; write its options below it")
            _check_keys(value, inner, source, f"{prefix}{key}.")


def load_recipe(recipe: str, *, flags: Sequence[str] = ()) -> Recipe:
    """Load a recipe by name or path.

    Args:
        recipe: The name of a recipe that comes with the package, or the path of a YAML file.
        flags: Command line flags that go before the file's values.

    Raises:
        UserError: If it does not exist, or a key or value is wrong.
    """
    values, source = read_values(recipe)
    return parse_recipe(values, source=source, flags=flags)


def save_recipe(path: Path, recipe: Recipe) -> None:
    """Write a complete recipe as YAML."""
    import yaml

    from muybridge.files import write_text

    write_text(path, yaml.safe_dump(recipe.to_dict(), sort_keys=False, allow_unicode=True))

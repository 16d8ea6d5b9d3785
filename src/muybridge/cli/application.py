"""The application that verbs are added to: what its options are filled in with, and the options that verbs share."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter
from cyclopts import config as cyclopts_config
from cyclopts.argument import ArgumentCollection

from muybridge import help_screen
from muybridge.api import LIST_STYLE, exists, read_values, recipe_config
from muybridge.terminal import say

Json = Annotated[bool, Parameter(negative="")]
Times = Annotated[int | None, Parameter(name=("--views", "--views.times"))]
Crops = Annotated[Literal[1, 3, 5], Parameter(name=("--crops", "--views.crops"))]
Flip = Annotated[bool, Parameter(name=("--flip", "--views.flip"), negative="")]
Isolate = Annotated[bool, Parameter("--isolate", negative="")]
Unit = Annotated[Literal["seconds", "frames"], Parameter(("--annotations.unit", "--data.annotation-unit"))]
Tier = Annotated[str, Parameter(("--annotations.tier", "--data.annotation-tier"))]
Fps = Annotated[float, Parameter(("--annotations.fps", "--data.annotation-fps"))]
Missing = Annotated[Literal["error", "skip"], Parameter(("--annotations.missing", "--data.annotation-missing"))]


_TAKES_ITS_OPTIONS = (("train",), ("sweep",))
"""Verbs with an option for each field of a recipe; others, such as pack, only name one."""


def _recipe_values(app: App, commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
    """Let the recipe named by --recipe, or chosen for a training that names none, fill in what no flag says."""
    given = {argument.name: argument.tokens[0].value for argument in arguments if argument.tokens}
    name = given.get("--recipe", "")
    if commands == ("train",) and not name and "--from" in given:
        from muybridge import api

        name = str(api.recipe_of(given["--from"]))
    # Whoever names an encoder or its weights has left nothing to choose; and without clips nothing is downloaded.
    chosen = given.keys() & {"--recipe", "--from", "--resume", "--model.encoder", "--model.weights"}
    if commands == ("train",) and not chosen and "--clips" in given and exists(Path(given["--clips"])):
        from muybridge import api

        recipe_config(*api.available_recipe(say), command=commands)(app, commands, arguments)
    elif name and commands in _TAKES_ITS_OPTIONS:
        recipe_config(*read_values(name), command=commands)(app, commands, arguments)


def _tuned_rules(app: App, commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
    """Let the rules that were tuned for a run fill in what no flag says of a timeline or a stream."""
    run = next((argument.tokens[0].value for argument in arguments if argument.name == "--run" and argument.tokens), "")
    if commands not in (("timeline",), ("watch",)) or not run:
        return
    from muybridge import api

    if values := api.tuned_values(Path(run)):
        cyclopts_config.Dict({commands[0]: values}, source=f"{run}/timeline.json")(app, commands, arguments)


app = App(
    name="muybridge",
    help="Action recognition from video: a clip goes in, 'cartwheel, 0.93' comes out.",
    help_epilogue="Start with 'muybridge demo', then 'muybridge train CLIPS' on a folder with a sub-folder per class.",
    help_flags=(*help_screen.HELP, help_screen.HELP_ALL),
    config=[_recipe_values, _tuned_rules],
    suppress_keyboard_interrupt=False,
    result_action="return_value",
    default_parameter=LIST_STYLE,
)

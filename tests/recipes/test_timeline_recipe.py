"""The recipe timeline: what it learns from is what timelines of its runs look at."""

from muybridge.recipes.store import load_recipe
from muybridge.recipes.timeline_rules import LIKELIEST_RATE, WindowConfig


def test_clips_are_cut_into_the_windows_of_a_timeline():
    sampler = load_recipe("timeline").sampler
    windows = WindowConfig()
    assert sampler.frames_per_second == LIKELIEST_RATE
    assert sampler.frames == windows.window_seconds * LIKELIEST_RATE
    assert sampler.training_views is None  # all of a clip


def test_all_else_is_the_default():
    timeline, default = load_recipe("timeline").to_dict(), load_recipe("default").to_dict()
    different = {name for name, value in default.items() if timeline[name] != value}
    assert different == {"name", "sampler"}

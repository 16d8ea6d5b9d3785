"""Where an experiment has its frames from: a cache that keeps them, or shards that are streamed."""

from collections.abc import Sequence

from rich.console import Console

from muybridge.console import say
from muybridge.dataset.catalog import Clip
from muybridge.errors import UserError
from muybridge.models.network import RecognizerNet
from muybridge.pipeline.frame_cache import FrameCache
from muybridge.pipeline.frame_stream import FrameStream
from muybridge.recipes.recipe import Recipe
from muybridge.text import counted, size_text
from muybridge.training.encoding import encodes_once


def frame_cache(recipe: Recipe) -> FrameCache:
    """The cache of the frames that a recipe's training sees, where they are kept."""
    return FrameCache(
        recipe.cache,
        sampler=recipe.sampler.build(),
        views=recipe.sampler.training_views,
        size_px=recipe.size_px,
        fit=recipe.fit,
        decoder=recipe.data.decoder,
    )


def frames_of(recipe: Recipe, clips: Sequence[Clip], net: RecognizerNet, *, console: Console) -> FrameCache:
    """The frames of clips, be they kept or streamed; the latter is said.

    Raises:
        UserError: As `stream_of`.
    """
    stream = stream_of(recipe, clips, net)
    if stream is None:
        return frame_cache(recipe)
    once = encodes_once(net, recipe.cache)
    how = "once" if once else f"in every epoch, through a buffer of {recipe.data.shuffle_buffer} clips"
    if recipe.cache.features_from:
        how += ", but for those whose features are given"
    why = f"their frames would take {size_text(stream.frames_bytes(len(clips)))}"
    if recipe.data.streaming == "auto":
        why += f", cache.budget_gb allows {size_text(stream.budget_bytes)}"
    say(console, f"streaming: {counted(len(clips), 'clip')} are read from their shards {how}; {why}")
    return stream


def stream_of(recipe: Recipe, clips: Sequence[Clip], net: RecognizerNet) -> FrameStream | None:
    """The frames of clips as they are streamed from their shards; None where they are kept.

    Raises:
        UserError: Shards are to be streamed, and the clips are in none, the recipe takes all windows of each, or what
            is read at once has no room.
    """
    packed = all(clip.is_packed for clip in clips)
    views = recipe.sampler.training_views
    if recipe.data.streaming == "on":
        if not packed:
            raise UserError(
                "data.streaming is on, and the clips are no shards; pack them with muybridge pack CLIPS OUT and name "
                "OUT, or say data.streaming auto"
            )
        if views is None:
            raise UserError("data.streaming is on, and sampler.windows all needs frames that are kept; set it to one")
    elif recipe.data.streaming == "off" or not packed or views is None:
        return None
    stream = FrameStream(
        recipe.cache,
        sampler=recipe.sampler.build(),
        views=views,
        size_px=recipe.size_px,
        fit=recipe.fit,
        buffer_clips=recipe.data.shuffle_buffer,
        decoder=recipe.data.decoder,
    )
    if recipe.data.streaming == "auto" and stream.frames_bytes(len(clips)) <= stream.budget_bytes:
        return None
    if not encodes_once(net, recipe.cache):
        if recipe.data.decoder != "cpu" and recipe.training.workers:
            raise UserError(
                f"data.decoder is {recipe.data.decoder}, and processes that read clips cannot share this one's GPU; "
                "set training.workers to 0, or say data.decoder cpu"
            )
        stream.require_space(clips, batch_size=recipe.training.clips_per_batch)
    return stream

"""Annotations of real long videos: frames by the clock of the file, training, evaluation, background."""

import json
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from rich.console import Console
from tests.helpers.clips import tiny_recipe

from muybridge import api
from muybridge.dataset.annotations.annotation_files import SUFFIXES
from muybridge.dataset.segments import Annotations, Segment
from muybridge.errors import VideoError
from muybridge.experiment.annotated_videos import read_annotated, times_of, write_annotated
from muybridge.experiment.named_clips import read_clips
from muybridge.recipes.data import DataConfig
from muybridge.recipes.store import load_recipe
from muybridge.video.decoding import iterate_frames
from muybridge.video.frame_times import read_frame_times
from muybridge.video.isolation import isolated

QUIET = Console(quiet=True)
LEVELS = {"dim": 60, "bright": 190, "": 120}


def write_film(path: Path, scenes: list[tuple[str, int]], *, codec: str = "libx264", uneven: bool = False) -> Path:
    """A video of scenes, each a label and a number of frames, 25 a second."""
    path.parent.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(list(path.name.encode()))  # no two films are the same bytes
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 48, 48, "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        at = 0
        for label, frames in scenes:
            for number in range(frames):
                noise = generator.normal(LEVELS[label], 20, (48, 48, 3))
                frame = av.VideoFrame.from_ndarray(np.clip(noise, 0, 255).astype(np.uint8), format="rgb24")
                frame.pts, frame.time_base = at, Fraction(1, 1000)
                at += 40 if not uneven or number % 3 else 90
                container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@pytest.mark.parametrize(
    ("name", "codec", "uneven"),
    [
        ("a.mp4", "libx264", False),
        ("a.mp4", "libx264", True),
        ("a.mkv", "mpeg4", False),
        ("a.mkv", "mpeg4", True),
        ("a.avi", "mpeg4", False),
    ],
)
def test_the_clock_of_a_file_is_that_of_its_decoded_frames(tmp_path: Path, name: str, codec: str, uneven: bool) -> None:
    path = write_film(tmp_path / name, [("dim", 30), ("bright", 20)], codec=codec, uneven=uneven)
    decoded = [frame.timestamp_seconds for frame in iterate_frames(path)]
    times = read_frame_times(path)
    assert times.seconds_N.tolist() == decoded
    assert times.end_seconds > decoded[-1]
    assert (times.width_px, times.height_px) == (48, 48)
    with isolated():
        alone = read_frame_times(path)
    assert alone.seconds_N.tolist() == decoded
    assert (alone.end_seconds, alone.width_px) == (times.end_seconds, times.width_px)


@pytest.mark.parametrize("format", SUFFIXES)
@pytest.mark.parametrize("uneven", [False, True])
def test_borders_at_frames_come_back_as_the_same_frames(tmp_path: Path, format: str, uneven: bool) -> None:
    path = write_film(tmp_path / "a.mkv", [("dim", 60)], uneven=uneven)
    times = times_of(path)
    spans = [(number, number + 7) for number in range(0, 50, 3)]
    segments = tuple(Segment(path, times.seconds_of(a), times.seconds_of(b), f"l{a}") for a, b in spans)
    written = write_annotated(Annotations(segments, (path,)), tmp_path / f"o{SUFFIXES[format]}", format)
    read = read_annotated(written.files[0], DataConfig(annotation_tier="actions*" if format == "elan" else ""))
    found = [(times.frame_at(each.start_seconds), times.frame_at(each.end_seconds)) for each in read.segments]
    if format == "label-studio" and uneven:  # it counts by a rate
        assert any("not evenly spaced" in note for note in written.notes)
        assert np.abs(np.array(found) - np.array(spans)).max() <= 1
    else:
        assert found == spans


FILMS = 6


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six films of three seconds, each with a dim scene, a bright one, and time between; annotated in a CSV."""
    folder = tmp_path_factory.mktemp("films")
    rows = ["video,start,end,label"]
    for number in range(FILMS):
        first, second = ("dim", "bright") if number % 2 else ("bright", "dim")
        write_film(folder / f"film_{number}.mp4", [(first, 15), ("", 30), (second, 15), ("", 15)])
        rows += [f"film_{number}.mp4,0,0.6,{first}", f"film_{number}.mp4,0:01.8,00:00:02.400,{second}"]
    (folder / "a.csv").write_text("\n".join(rows))
    return folder


def test_a_model_is_trained_from_long_videos_with_background(films: Path, tmp_path: Path) -> None:
    recipe = tiny_recipe("--data.background", "auto", "--data.background-guard-seconds", "0.1")
    run = api.train(films / "a.csv", recipe, run=tmp_path / "run", console=QUIET)
    assert run.evaluation is not None
    split = json.loads((tmp_path / "run" / "split.json").read_text())
    clips = [clip for part in ("train", "validation", "test") for clip in split[part]]
    assert len(clips) == 3 * FILMS
    assert {clip["label"] for clip in clips} == {"dim", "bright", "background"}
    by_part = {part: {clip["group"] for clip in split[part]} for part in ("train", "validation", "test")}
    assert not by_part["train"] & by_part["test"]
    assert any("0 of " in line for line in run.evaluation.details() if line.startswith("leak"))
    assert load_recipe(str(tmp_path / "run" / "recipe.yaml")).data.background == "auto"
    assert not list(films.glob("*.avi"))  # nothing was cut to files

    # The same run, measured on the same videos as another annotator has them.
    annotations = read_annotated(films / "a.csv", DataConfig())
    new = write_film(tmp_path / "new" / "n.mp4", [("dim", 20), ("bright", 20)])
    segments = (Segment(new, 0.0, 0.8, "dim"), Segment(new, 0.8, 1.6, "bright"))
    [file] = write_annotated(Annotations(segments, (new,)), tmp_path / "new" / "n.eaf", "elan").files
    evaluation = api.evaluate(tmp_path / "run", file, out=tmp_path / "e", console=QUIET)
    assert evaluation.top1.clips == 2
    assert len(annotations.segments) == 2 * FILMS


def test_background_is_the_same_each_time_and_joins_the_classes_that_are_named(films: Path) -> None:
    options = {"background": "all", "background_guard_seconds": 0.1}
    first, second = (read_clips(films / "a.csv", DataConfig(**options), console=QUIET) for _ in range(2))
    assert [clip.id for clip in first.clips] == [clip.id for clip in second.clips]
    named = read_clips(films / "a.csv", DataConfig(**options, classes=("dim",)), console=QUIET)
    assert named.classes == ("background", "dim")
    of_all = {clip.id for clip in first.clips if clip.label == "background"}
    assert {clip.id for clip in named.clips if clip.label == "background"} == of_all


def test_a_video_that_does_not_decode_gives_no_background_and_is_named(films: Path, tmp_path: Path) -> None:
    rows = (films / "a.csv").read_text().replace("film_", f"{films}/film_").splitlines()
    (tmp_path / "bad.mp4").write_bytes(b"nothing")
    (tmp_path / "a.csv").write_text("\n".join([*rows, "bad.mp4,0,0.6,dim", "bad.mp4,1,1.6,bright"]))
    options = {"background": "auto", "background_guard_seconds": 0.1}
    found = read_clips(tmp_path / "a.csv", DataConfig(**options), console=QUIET)
    of_bad = [clip for clip in found.clips if clip.path.name == "bad.mp4"]
    assert sorted(clip.label for clip in of_bad) == ["bright", "dim"]
    assert sum(clip.label == "background" for clip in found.clips) == FILMS + 1
    [note] = [note for note in found.notes if "cannot be decoded" in note]
    assert note.startswith("background: not from 1 video that cannot be decoded: ")
    assert "bad.mp4" in note
    recipe = tiny_recipe(
        "--data.background", "auto", "--data.background-guard-seconds", "0.1", "--training.epochs", "1"
    )
    run = api.train(tmp_path / "a.csv", recipe, run=tmp_path / "run", console=QUIET).run
    assert (run / "evaluation.json").is_file()


def test_background_of_videos_none_of_which_decodes_is_an_error_that_says_why(tmp_path: Path) -> None:
    (tmp_path / "bad.mp4").write_bytes(b"nothing")
    (tmp_path / "a.csv").write_text("video,start,end,label\nbad.mp4,0,0.6,dim\nbad.mp4,1,1.6,bright")
    with pytest.raises(VideoError, match=r"bad\.mp4"):
        read_clips(tmp_path / "a.csv", DataConfig(background="all"), console=QUIET)

"""Draws docs/pictures/answers.gif: four of the demo's test clips side by side, each with the model's answer below.

python docs/answers.py RUN     RUN is the demo's honest run, muybridge-demo/grouped-1

The clips are the first test clip of each of four actions, whatever the model says about it.
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

import muybridge
from muybridge.dataset.split import Split
from muybridge.video.decoding import iterate_frames

ACTIONS = ("walk_left", "stand_up", "clap", "jump")
PICTURE = Path(__file__).resolve().parent / "pictures" / "answers.gif"
FRAMES, STEP_MS = 16, 90
WIDTH, HEIGHT, BAR, GAP = 128, 96, 22, 8
COLOURS = 48


def main(run: Path) -> None:
    """Predict and draw."""
    recognizer = muybridge.load(run)
    test = Split.load(run / "split.json").clips_of("test")
    columns = []
    for action in ACTIONS:
        clip = next(clip for clip in test if clip.label == action)
        prediction = recognizer.predict(clip.path)
        frames = [frame.image_HWC for frame in iterate_frames(clip.path)]
        chosen = np.linspace(0, len(frames) - 1, FRAMES).astype(int)
        columns.append(([frames[i] for i in chosen], f"{prediction.label}, {prediction.score:.2f}"))
        print(f"{clip.path.name}: {prediction.label}, {prediction.score:.2f} (truth: {clip.label})")
    pictures = [strip([(frames[step], text) for frames, text in columns]) for step in range(FRAMES)]
    palette = pictures[0].quantize(COLOURS, method=Image.Quantize.MEDIANCUT)
    first, *rest = (picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in pictures)
    # The last frame stays a moment, so that an action is seen to end.
    times = [STEP_MS] * (FRAMES - 1) + [10 * STEP_MS]
    first.save(PICTURE, save_all=True, append_images=rest, duration=times, loop=0, optimize=True)
    print(f"{PICTURE}: {PICTURE.stat().st_size / 1000:.0f} kB")


def strip(columns: list[tuple[np.ndarray, str]]) -> Image.Image:
    """One moment of all clips, in a row."""
    width = len(columns) * (WIDTH + GAP) - GAP
    picture = Image.new("RGB", (width, HEIGHT + BAR), "white")
    draw = ImageDraw.Draw(picture)
    font = ImageFont.load_default(size=12)
    for number, (image_HWC, text) in enumerate(columns):
        left = number * (WIDTH + GAP)
        picture.paste(Image.fromarray(image_HWC), (left, 0))
        draw.text((left + WIDTH / 2, HEIGHT + BAR / 2), text, fill="black", font=font, anchor="mm")
    return picture


if __name__ == "__main__":
    main(Path(sys.argv[1]))

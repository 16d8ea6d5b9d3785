"""Decodes given frames of given files by one library and prints the CPU time of each file; for `decoding.py`.

It runs in the environment of the library it measures, so it imports nothing of this project. It reads one JSON object
per line from standard input, ``{"path", "indices", "size_px"}``, and answers each with one line,
``{"cpu_seconds", "shape"}``; the first line it prints names the versions. CPU time is that of the process with all its
threads. Nothing is kept from one file to the next.
"""

import json
import sys
import time

import numpy as np


def opencv_all(path, indices, size_px):
    """As the paper's generator reads: every frame is decoded and converted, and some are kept."""
    return opencv(path, indices, size_px, skip_unwanted=False)


def opencv_grab(path, indices, size_px):
    """Frames in between are decoded and not converted."""
    return opencv(path, indices, size_px, skip_unwanted=True)


def opencv(path, indices, size_px, *, skip_unwanted):
    """Read up to the last wanted frame (grab), or all frames of the file, as the paper did."""
    import cv2

    capture = cv2.VideoCapture(path, cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
    wanted, images, index = set(indices), [], 0
    while not skip_unwanted or len(images) < len(wanted):
        if skip_unwanted and index not in wanted:
            found = capture.grab()
        else:
            found, image = capture.read()
        if not found:
            break
        if index in wanted:
            image = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
            if size_px:
                image = cv2.resize(image, (size_px, size_px), interpolation=cv2.INTER_AREA)
            images.append(image)
        index += 1
    capture.release()
    return np.stack(images)


def torchcodec(path, indices, size_px):
    """Its exact mode, which scans the file for its index, as ours does."""
    from torchcodec.decoders import VideoDecoder

    # Resizing while decoding is by the library; other ways would cost it more.
    settings = {}
    if size_px:
        from torchcodec.transforms import Resize

        settings["transforms"] = [Resize((size_px, size_px))]
    decoder = VideoDecoder(path, seek_mode="exact", num_ffmpeg_threads=1, dimension_order="NHWC", **settings)
    return decoder.get_frames_at(indices=indices).data.numpy()


def decord(path, indices, size_px):
    """Resized while decoding, if at all."""
    import decord as library

    size = {"width": size_px, "height": size_px} if size_px else {}
    return library.VideoReader(path, ctx=library.cpu(0), num_threads=1, **size).get_batch(indices).asnumpy()


METHODS = {"opencv-all": opencv_all, "opencv-grab": opencv_grab, "torchcodec": torchcodec, "decord": decord}


def prepare(method):
    """Import the library, ask it for one thread, return its version."""
    if method.startswith("opencv"):
        import cv2

        cv2.setNumThreads(1)
        return f"OpenCV {cv2.__version__}"
    if method == "torchcodec":
        import torch
        import torchcodec as library
        from torchcodec.decoders import VideoDecoder  # noqa: F401  fails here without a fitting FFmpeg

        torch.set_num_threads(1)
        return f"torchcodec {library.__version__} on torch {torch.__version__}"
    import decord as library

    return f"decord {library.__version__}"


def main():
    method = sys.argv[1]
    print(json.dumps({"versions": prepare(method)}), flush=True)
    for line in sys.stdin:
        task = json.loads(line)
        began = time.process_time()
        frames = METHODS[method](task["path"], task["indices"], task["size_px"])
        print(json.dumps({"cpu_seconds": time.process_time() - began, "shape": frames.shape}), flush=True)


if __name__ == "__main__":
    main()

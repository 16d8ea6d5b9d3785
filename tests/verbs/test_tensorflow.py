"""TFRecords: TensorFlow reads what muybridge packs, and muybridge what TensorFlow writes.

TensorFlow runs in an environment of its own, whose Python MUYBRIDGE_TENSORFLOW names (``make test-extras`` makes it).
"""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from muybridge import api
from muybridge.dataset.layouts import read_catalog
from muybridge.video.door import read_views
from muybridge.video.sampling import EverySampler
from muybridge.video.sequence_example import read_example

pytestmark = pytest.mark.adapters

# As the decoder of official/vision/dataloaders/video_input.py describes its input, and decodes its images.
READ = """
import json, sys
import tensorflow as tf
context = {"clip/label/index": tf.io.VarLenFeature(tf.int64), "clip/label/text": tf.io.VarLenFeature(tf.string)}
lists = {"image/encoded": tf.io.FixedLenSequenceFeature((), tf.string)}
for record in tf.data.TFRecordDataset(sys.argv[1:]):
    values, frames = tf.io.parse_single_sequence_example(record, context, lists)
    label, text = (tf.sparse.to_dense(values[name]).numpy() for name in context)
    images = tf.map_fn(lambda image: tf.io.decode_jpeg(image, 3), frames["image/encoded"], fn_output_signature=tf.uint8)
    means = [float(m) for m in tf.reduce_mean(tf.cast(images, tf.float32), axis=(1, 2, 3))]
    print(json.dumps([int(label[0]), text[0].decode(), list(images.shape), means]))
"""
WRITE = """
import sys
import tensorflow as tf
def ints(*values): return tf.train.Feature(int64_list=tf.train.Int64List(value=values))
def texts(*values): return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))
example = tf.train.SequenceExample(
    context=tf.train.Features(feature={"clip/label/index": ints(3), "image/width": ints(4), "image/height": ints(2),
        "other": tf.train.Feature(float_list=tf.train.FloatList(value=[0.5]))}),
    feature_lists=tf.train.FeatureLists(feature_list={
        "image/encoded": tf.train.FeatureList(feature=[texts(b"first"), texts(b"second")]),
        "image/timestamp": tf.train.FeatureList(feature=[ints(0), ints(40000)])}))
open(sys.argv[1], "wb").write(example.SerializeToString())
"""


@pytest.fixture(scope="module")
def tensorflow() -> str:
    """The Python of an environment with TensorFlow."""
    python = os.environ.get("MUYBRIDGE_TENSORFLOW", "")
    if not python and not os.environ.get("MUYBRIDGE_TEST_EXTRAS"):
        pytest.skip("needs MUYBRIDGE_TENSORFLOW, the Python of an environment with TensorFlow")
    assert Path(python).exists(), f"MUYBRIDGE_TENSORFLOW is {python!r}"
    return python


def run(python: str, code: str, *arguments: Path) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [python, "-c", code, *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=240).stdout


def test_tensorflow_reads_what_we_pack(tensorflow, clips, tmp_path):
    packed = api.pack(clips, tmp_path / "shards", kind="tfrecord", shard_size_gb=0.0001).folder
    shards = sorted(packed.glob("*.tfrecord"))
    assert len(shards) > 1
    found = [json.loads(line) for line in run(tensorflow, READ, *shards).splitlines()]
    classes = json.loads((packed / "shards.json").read_text())["classes"]
    catalog = read_catalog(packed)
    in_order = sorted(catalog.clips, key=lambda clip: clip.path.name)
    assert len(found) == len(in_order) == 24
    for clip, (index, text, shape, means) in zip(in_order, found, strict=True):
        assert classes[index] == text == clip.label
        [view] = read_views(clip.path, EverySampler(every=1), count=1)
        assert shape == [12, 48, 48, 3] == list(view.frames_THWC.shape)
        np.testing.assert_allclose(view.frames_THWC.mean(axis=(1, 2, 3)), means, atol=1.5)


def test_we_read_what_tensorflow_writes(tensorflow, tmp_path):
    run(tensorflow, WRITE, tmp_path / "example")
    assert read_example((tmp_path / "example").read_bytes()) == ([b"first", b"second"], [0, 40_000], 4, 2)

"""A clip as TensorFlow keeps it: a record of ``tf.train.SequenceExample`` in a TFRecord file, without TensorFlow.

The layout is the one that the video input of TensorFlow's model garden reads (``official/vision/dataloaders/
video_input.py``, for MoViNet among others): the context holds ``clip/label/index`` and ``clip/label/text``, the feature
list ``image/encoded`` a JPEG image a frame. Beside it are the names that MediaPipe's MediaSequence gives to times
(``image/timestamp``, microseconds), sizes and the clip's id.

The messages are described here as TensorFlow's ``example.proto`` and ``feature.proto`` have them; protobuf does the
rest.
"""

import struct
from collections.abc import Sequence
from functools import cache
from typing import Any

from muybridge.errors import UserError

IMAGE = "image/encoded"
TIME = "image/timestamp"
_LABEL_INDEX, _LABEL = "clip/label/index", "clip/label/text"
_ID, _WIDTH, _HEIGHT, _FORMAT = "clip/media_id", "image/width", "image/height", "image/format"
_MASK = 0xA282EAD8
HEADER_BYTES = 12
"""Of a record in a TFRecord file, before its data: their length and its checksum."""


def write_example(
    *,
    id: str,
    label: str,
    label_index: int,
    images: Sequence[bytes],
    times_us: Sequence[int],
    width_px: int,
    height_px: int,
) -> bytes:
    """A clip as a serialised ``SequenceExample``.

    Args:
        id: The clip's id.
        label: Its class.
        label_index: The number of the class.
        images: A JPEG image a frame.
        times_us: When each is shown.
        width_px: Of the images.
        height_px: Of the images.
    """
    message = _message()()
    context = message.context.feature
    context[_LABEL_INDEX].int64_list.value.append(label_index)
    context[_LABEL].bytes_list.value.append(label.encode())
    context[_ID].bytes_list.value.append(id.encode())
    context[_FORMAT].bytes_list.value.append(b"JPEG")
    context[_WIDTH].int64_list.value.append(width_px)
    context[_HEIGHT].int64_list.value.append(height_px)
    lists = message.feature_lists.feature_list
    for image, time_us in zip(images, times_us, strict=True):
        lists[IMAGE].feature.add().bytes_list.value.append(image)
        lists[TIME].feature.add().int64_list.value.append(time_us)
    data: bytes = message.SerializeToString(deterministic=True)
    return data


def read_example(data: bytes) -> tuple[list[bytes], list[int], int, int]:
    """The images of a serialised ``SequenceExample``, their times in microseconds, their width and their height.

    Raises:
        ValueError: It is none, or lacks one of them.
    """
    from google.protobuf.message import DecodeError

    message = _message()()
    try:
        message.ParseFromString(data)
    except DecodeError as error:
        raise ValueError(f"no SequenceExample: {error}") from None
    lists, context = message.feature_lists.feature_list, message.context.feature

    def only(values: Any, name: str) -> Any:
        if len(values) != 1:
            raise ValueError(f"{len(values)} values in a feature {name}")
        return values[0]

    images = [only(feature.bytes_list.value, IMAGE) for feature in lists[IMAGE].feature]
    times = [only(feature.int64_list.value, TIME) for feature in lists[TIME].feature]
    size = [only(context[name].int64_list.value, name) for name in (_WIDTH, _HEIGHT)]
    return images, times, size[0], size[1]


def framed(data: bytes) -> bytes:
    """Data as a record of a TFRecord file: length, checksum, data, checksum."""
    length = struct.pack("<Q", len(data))
    return length + struct.pack("<I", _checksum(length)) + data + struct.pack("<I", _checksum(data))


def _checksum(data: bytes) -> int:
    """The CRC-32C that TFRecord masks, so that a checksum of checksums stays one."""
    import crc32c

    crc = int(crc32c.crc32c(data))
    return ((crc >> 15 | crc << 17) + _MASK) & 0xFFFFFFFF


@cache
def _message() -> Any:
    """The class of ``SequenceExample`` messages.

    Raises:
        UserError: protobuf or crc32c are not installed.
    """
    try:
        import crc32c  # noqa: F401 - what writes needs it later, and should not find out then
        from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
    except ImportError as error:
        raise UserError(f"TFRecord needs protobuf and crc32c: pip install 'muybridge[shards]' ({error})") from error
    kinds = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="muybridge_example.proto", package="tensorflow", syntax="proto3")

    def message(name: str, inside: Any = file.message_type) -> Any:
        return inside.add(name=name)

    def field(owner: Any, name: str, number: int, kind: int | str, *, repeated: bool = True, **options: Any) -> None:
        label = kinds.LABEL_REPEATED if repeated else kinds.LABEL_OPTIONAL
        if isinstance(kind, str):
            options |= {"type": kinds.TYPE_MESSAGE, "type_name": f".tensorflow.{kind}"}
        else:
            options["type"] = kind
        owner.field.add(name=name, number=number, label=label, **options)

    def mapping(owner: Any, name: str, kind: str) -> None:
        entry = owner.nested_type.add(name=f"{''.join(word.title() for word in name.split('_'))}Entry")
        entry.options.map_entry = True
        field(entry, "key", 1, kinds.TYPE_STRING, repeated=False)
        field(entry, "value", 2, kind, repeated=False)
        field(owner, name, 1, f"{owner.name}.{entry.name}")

    for name, kind in (("Bytes", kinds.TYPE_BYTES), ("Float", kinds.TYPE_FLOAT), ("Int64", kinds.TYPE_INT64)):
        field(message(f"{name}List"), "value", 1, kind)
    feature = message("Feature")
    feature.oneof_decl.add(name="kind")
    for number, name in enumerate(("Bytes", "Float", "Int64"), 1):
        field(feature, f"{name.lower()}_list", number, f"{name}List", repeated=False, oneof_index=0)
    mapping(message("Features"), "feature", "Feature")
    field(message("FeatureList"), "feature", 1, "Feature")
    mapping(message("FeatureLists"), "feature_list", "FeatureList")
    example = message("SequenceExample")
    field(example, "context", 1, "Features", repeated=False)
    field(example, "feature_lists", 2, "FeatureLists", repeated=False)
    pool = descriptor_pool.DescriptorPool()  # of our own, so that TensorFlow may be in the same process
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("tensorflow.SequenceExample"))

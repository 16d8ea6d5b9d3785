"""Where the public data sets are published, with what is known of their archives.

Notable: sizes and checksums are given only where somebody published them, and the comment next to each says who;
an archive without one is still fetched, and its sha256 is written down for the next time. Copies on other hosts
are often packed anew, so a data set lists several archives that hold the same clips, and each has its own
addresses, size and checksum. A copy is pinned to a revision where its host has revisions.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from muybridge.errors import UserError
from muybridge.schemas import read
from muybridge.text import did_you_mean

Layout = Literal["hmdb51", "ucf101"]


@dataclass(frozen=True)
class Archive:
    """One published file.

    Attributes:
        name: Its file name, by which a file that the user already has is recognised.
        urls: Where it is published, in the order in which to try.
        size_bytes: Its published size, or None.
        checksum: Its published checksum, as `sha256:<hex>` or `md5:<hex>`, or None.
    """

    name: str
    urls: tuple[str, ...]
    size_bytes: int | None = None
    checksum: str | None = None

    def __post_init__(self) -> None:
        if Path(self.name).name != self.name or Path(self.name).suffix.lower() not in (".rar", ".zip"):
            raise UserError(f"the archive {self.name!r} of a source must be the plain name of a .rar or .zip file")
        if self.checksum is not None and not self.checksum.startswith(("md5:", "sha256:")):
            raise UserError(f"the checksum {self.checksum!r} of {self.name} must begin with sha256: or md5:")

    @property
    def is_rar(self) -> bool:
        """Whether it is a RAR file by its name."""
        return self.name.lower().endswith(".rar")


@dataclass(frozen=True)
class DatasetSource:
    """A data set: its archives, and what must be there in the end.

    Attributes:
        name: What the user calls it.
        title: What its authors call it.
        layout: How its clips and lists are named.
        clips: Archives that hold all its clips; any one of them will do.
        lists: Archives that hold its official split lists; any one of them will do.
        class_count: Number of classes.
        clip_count: Number of clips.
        split_sizes: Number of train and test clips of each official split, from split 1 on; None where nobody
            published it.
        terms: Licence and citation, in one line.
    """

    name: str
    title: str
    layout: Layout
    clips: tuple[Archive, ...]
    lists: tuple[Archive, ...]
    class_count: int
    clip_count: int
    split_sizes: tuple[tuple[int, int] | None, ...]
    terms: str = ""


_HMDB51_HOST = "https://serre-lab.clps.brown.edu/wp-content/uploads/2013/10/"
_HMDB51_COPY = "https://huggingface.co/datasets/MichiganNLP/hmdb/resolve/16eb4625d3bf20255526e1327ee9e2ea32d66c82/"

HMDB51 = DatasetSource(
    name="hmdb51",
    title="HMDB-51",
    layout="hmdb51",
    clips=(
        # md5: brave/download_hmdb.py of DeepMind's BraVe. voxel51/fiftyone #6528 (2025) calls the host defunct.
        Archive("hmdb51_org.rar", (_HMDB51_HOST + "hmdb51_org.rar",), checksum="md5:517d6f1f19f215c45cdd4d25356be1fb"),
        # Size and sha256: the Git LFS pointer of the pinned revision. Clips in ZIP instead of RAR.
        Archive(
            "hmdb51_org.zip",
            (_HMDB51_COPY + "hmdb51_org.zip",),
            size_bytes=4_246_812_958,
            checksum="sha256:2d652f386debd04ae8f83508faacb959c03c9cbf1176fc76848b73cda4d52e57",
        ),
    ),
    lists=(
        # md5: torchvision/datasets/hmdb51.py.
        Archive(
            "test_train_splits.rar",
            (_HMDB51_HOST + "test_train_splits.rar",),
            checksum="md5:15e67781e70dcfbdce2d7dbb9b3344b5",
        ),
        # Size and sha256: the Git LFS pointer of the pinned revision.
        Archive(
            "test_train_splits.zip",
            (_HMDB51_COPY + "test_train_splits.zip",),
            size_bytes=222_848,
            checksum="sha256:12df0053bd9d570817edb10d2299030f43646969d5d42ff40200249b45ab2efa",
        ),
    ),
    class_count=51,
    clip_count=6766,
    split_sizes=((3570, 1530),) * 3,
    terms="CC BY 4.0; cite Kuehne et al., HMDB: A Large Video Database for Human Motion Recognition, ICCV 2011",
)

# Many scripts fetch from this host with certificate checks off, since its chain was often not trusted. We leave
# them on: what cannot be trusted is fetched from the next address, whose files have checksums.
_UCF101_HOST = "https://www.crcv.ucf.edu/data/UCF101/"
_UCF101_COPY = "https://huggingface.co/datasets/quchenyuan/UCF101-ZIP/resolve/"

UCF101 = DatasetSource(
    name="ucf101",
    title="UCF101",
    layout="ucf101",
    clips=(
        # Size: what the host answers, as several public download scripts state. No published checksum.
        Archive("UCF101.rar", (_UCF101_HOST + "UCF101.rar",), size_bytes=6_932_971_618),
        # Size and sha256: url_checksums/ucf101.txt of TensorFlow Datasets. The THUMOS copy, without class folders.
        Archive(
            "UCF101_videos.zip",
            ("https://storage.googleapis.com/thumos14_files/UCF101_videos.zip",),
            size_bytes=6_960_400_115,
            checksum="sha256:dabf56f573cd19c79e096563529fec8126a2a34e18e10c72eb621dd687532b0d",
        ),
        # Size and sha256: the Git LFS pointer of the pinned revision.
        Archive(
            "UCF-101.zip",
            (_UCF101_COPY + "0d30deb80fcb61705f0848b25e5c443a91abc64d/UCF-101.zip",),
            size_bytes=6_957_373_664,
            checksum="sha256:eb77e54dfafd9c77e7b086f5e5ef7738cabd16a701b3f5c301a1f6c81fc4756e",
        ),
    ),
    lists=(
        # Size and sha256: TensorFlow Datasets as above, and the Git LFS pointer of the copy, which agree.
        Archive(
            "UCF101TrainTestSplits-RecognitionTask.zip",
            (
                _UCF101_HOST + "UCF101TrainTestSplits-RecognitionTask.zip",
                _UCF101_COPY + "04d4e5ca1dc93606cb58752b0c08331e598743a4/UCF101TrainTestSplits-RecognitionTask.zip",
            ),
            size_bytes=113_943,
            checksum="sha256:5c0d1a53b8ed364a2ac830a73f405e51bece7d98ce1254fd19ed4a36b224bd27",
        ),
    ),
    class_count=101,
    clip_count=13320,
    split_sizes=((9537, 3783), (9586, 3734), (9624, 3696)),
    terms="footage from the web, collected for research; cite Soomro et al., UCF101, CRCV-TR-12-01, 2012",
)

# Sizes and md5: a log of a download and a script that checks it, both public and found without the other; the
# files themselves were not fetched for this. The videos' archive holds ReCompress_Videos/<class>/<name>.avi.
_JHMDB_HOST = "https://files.is.tue.mpg.de/jhmdb/"

JHMDB = DatasetSource(
    name="jhmdb",
    title="J-HMDB",
    layout="hmdb51",  # its clips have the names that they have in HMDB-51, and its lists are written in the same way
    clips=(
        Archive(
            "JHMDB_video.zip",
            (_JHMDB_HOST + "JHMDB_video.zip",),
            size_bytes=185_602_053,
            checksum="md5:0aca5af988892c8c2afe652a30544b8c",
        ),
    ),
    lists=(
        Archive(
            "splits.zip",
            (_JHMDB_HOST + "splits.zip",),
            size_bytes=43_785,
            checksum="md5:15b9f2f7a99d63c07f3be0c9ecde43b5",
        ),
    ),
    class_count=21,
    clip_count=928,
    # Split 1: the copy kiyoonkim/jhmdb-gulprgb at Hugging Face. Of the others only the lists themselves tell.
    split_sizes=((660, 268), None, None),
    terms="clips of HMDB-51, for research; cite Jhuang et al., Towards Understanding Action Recognition, ICCV 2013",
)

SOURCES: Mapping[str, DatasetSource] = {source.name: source for source in (HMDB51, UCF101, JHMDB)}


def find_source(name: str) -> DatasetSource:
    """The source of a data set, by its name or by a JSON file that describes one with the same keys.

    Raises:
        UserError: If there is no such data set, or the file does not describe one.
    """
    if name.lower().endswith(".json"):
        return _read_source(Path(name))
    if name.lower() not in SOURCES:
        raise UserError(f"unknown data set {name!r}{did_you_mean(name, SOURCES)}")
    return SOURCES[name.lower()]


def _read_source(path: Path) -> DatasetSource:
    keys = ", ".join(field.name for field in dataclasses.fields(DatasetSource))
    return read(path, DatasetSource, hint=f"a source needs the keys {keys}")

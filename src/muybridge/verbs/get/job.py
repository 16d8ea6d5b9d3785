"""Getting a public data set: fetch, unpack, put the official lists in place, check, count.

Notable: what is there decides what is done, so running it again after an interruption continues, and running it
again after that does nothing but count. The lists come first: they are small, fail early, and say which clips to
expect.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from muybridge import notebook
from muybridge.checking.checking import CheckReport, check_catalog
from muybridge.console import STDERR, progress_on, say
from muybridge.dataset.catalog import Catalog
from muybridge.dataset.layouts import read_catalog
from muybridge.dataset.official import read_official
from muybridge.errors import UserError
from muybridge.files import require_local
from muybridge.text import counted, printable, shortened
from muybridge.verbs.get.datasets import DatasetSource, find_source
from muybridge.verbs.get.downloading import Retries, part_of
from muybridge.verbs.get.obtaining import Shelf
from muybridge.verbs.get.unpacking import SPLITS_FOLDER, Unpacking, listed_clips, missing_clips, unpack_lists

ARCHIVES_FOLDER = "archives"
RECORD_FILE = "sources.json"


@dataclass(frozen=True)
class GetResult:
    """What there is of a data set after getting it.

    Attributes:
        folder: Its folder.
        source: What it should be.
        class_count: Number of classes that are there.
        clip_count: Number of clips that are there.
        split_sizes: Number of train and test clips that are there of each official split, from split 1 on.
        missing: Ids without suffix, `<class>/<name>`, of the clips that the official lists name and that are not there.
        notes: What a user should know about the catalog, one line each.
        check: What decoding every clip showed, or None if that was not asked for or was done before.
    """

    folder: Path
    source: DatasetSource
    class_count: int
    clip_count: int
    split_sizes: tuple[tuple[int, int], ...]
    missing: tuple[str, ...]
    notes: tuple[str, ...]
    check: CheckReport | None

    @property
    def differences(self) -> tuple[str, ...]:
        """Every count that is not what the authors of the data set publish, one line each."""
        source = self.source
        pairs = [("classes", self.class_count, source.class_count), ("clips", self.clip_count, source.clip_count)]
        for number, (found, published) in enumerate(zip(self.split_sizes, source.split_sizes, strict=True), start=1):
            if published is None:
                continue
            pairs.append((f"train clips of split {number}", found[0], published[0]))
            pairs.append((f"test clips of split {number}", found[1], published[1]))
        return tuple(
            f"{what}: {found}, published are {published}" for what, found, published in pairs if found != published
        )

    def __str__(self) -> str:
        lines = [f"{self.source.title}: {self.clip_count} clips in {self.class_count} classes, in {self.folder}"]
        lines += [f"note: {note}" for note in self.notes]
        lines += [
            f"official split {number}: {train} train, {test} test"
            for number, (train, test) in enumerate(self.split_sizes, start=1)
        ]
        if self.check is not None:
            bad, damaged = (len(self.check.with_status(status)) for status in ("bad", "damaged"))
            lines.append(f"checked: {bad} do not decode, {damaged} decode in part; see {self.folder / 'check.json'}")
        lines += [f"WARNING: {difference}" for difference in self.differences]
        if not self.differences:
            unknown = [str(number) for number, sizes in enumerate(self.source.split_sizes, start=1) if sizes is None]
            splits = f"; of the official splits {' and '.join(unknown)} none are published" if unknown else ""
            lines.append(f"all counts are as published{splits}")
        if self.source.terms:
            lines.append(f"terms: {self.source.terms}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """The result in a notebook."""
        title, *lines = str(self).splitlines()
        return notebook.card(title, notebook.lines(lines))

    def to_dict(self) -> dict[str, Any]:
        """The result as plain values."""
        return {
            "folder": str(self.folder),
            "dataset": self.source.name,
            "classes": self.class_count,
            "clips": self.clip_count,
            "splits": [{"train": train, "test": test} for train, test in self.split_sizes],
            "missing": list(self.missing),
            "differences": list(self.differences),
            "notes": list(self.notes),
            "bad": None if self.check is None else [c.clip.id for c in self.check.with_status("bad")],
            "damaged": None if self.check is None else [c.clip.id for c in self.check.with_status("damaged")],
        }

    def require_complete(self) -> None:
        """Make sure that every listed clip is there.

        Raises:
            UserError: If not; what is there stays usable.
        """
        if self.missing:
            raise UserError(
                f"{len(self.missing)} of {self.source.clip_count} clips are missing, for example "
                f"{shortened(self.missing, limit=3)}; the archives that were used do not hold them, so give others "
                f"with get.given or get.mirror. What is in {self.folder} can be used"
            )


def get(
    name: str,
    folder: str | Path,
    *,
    source: DatasetSource | None = None,
    given: str | Path | None = None,
    mirror: str | None = None,
    keep_archives: bool = False,
    check: bool = True,
    workers: int | None = None,
    retries: Retries = Retries(),  # noqa: B008 - a frozen value
    console: Console = STDERR,
) -> GetResult:
    """Fetch a public data set, unpack it, put the official lists in place, check and count it.

    Args:
        name: `hmdb51`, `ucf101`, `jhmdb`, or a JSON file that describes a source.
        folder: Where to put it. What is there already is not fetched or unpacked again.
        source: The source itself, instead of looking the name up.
        given: A file or a folder of archives that the user has; they are only read.
        mirror: Address of a folder that holds the archives, to try first.
        keep_archives: Whether to keep downloads after everything is unpacked.
        check: Whether to decode every clip, and to write check.json and check.csv into the folder.
        workers: Processes that decode; None: one per core.
        retries: How patient to be with one address.
        console: Where progress is printed.

    Returns:
        What is there now, also when it is not all; see `GetResult.require_complete`.

    Raises:
        UserError: If an archive is not available, is refused or damaged, or the disk is too full.
    """
    source = source or find_source(name)
    require_local(Path(folder))
    root = Path(folder).expanduser().absolute()
    path = None if given is None else Path(given).expanduser().absolute()
    if path is not None and not path.exists():
        raise UserError(f"get.given {path} does not exist; give an archive or a folder that holds archives")
    if root.exists() and not root.is_dir():
        raise UserError(f"{root} is a file; give a folder for the data set")
    _check_names(path, source)
    root.mkdir(parents=True, exist_ok=True)
    shelf = Shelf(root / ARCHIVES_FOLDER, root / RECORD_FILE, given=path, mirror=mirror, retries=retries)
    archives = (*source.lists, *source.clips)
    try:
        placed = _fetch_and_unpack(shelf, source, root, console)
    except KeyboardInterrupt:
        parts = [part for archive in archives if (part := part_of(shelf.folder / archive.name)).exists()]
        kept = f"; {parts[0]} keeps what was fetched" if parts else ""
        say(console, f"\nstopped{kept}. Run the same command again to continue")
        raise
    except OSError as error:
        where = error.filename or root
        raise UserError(f"{where}: {error.strerror or error}; make room or choose another folder") from error

    catalog = read_catalog(root, layout=source.layout)
    report = None
    if check and (placed or not (root / "check.json").is_file()):
        report = _check(catalog, root, workers=workers, console=console)
    result = _count(catalog, root, source, report)
    if not result.missing and not keep_archives:
        shelf.clear(archives)
    return result


def _check_names(given: Path | None, source: DatasetSource) -> None:
    """The user's own file must be one of the published ones, by its name."""
    names = {archive.name.lower(): archive.name for archive in (*source.clips, *source.lists)}
    if given is None:
        return
    files = [given] if given.is_file() else [path for path in given.iterdir() if path.is_file()]
    if not any(path.name.lower() in names for path in files):
        known = ", ".join(names.values())
        raise UserError(f"get.given {given} is or holds none of {known}; name the file as published")


def _fetch_and_unpack(shelf: Shelf, source: DatasetSource, root: Path, console: Console) -> int:
    """Do what is left to do; returns the number of clips put in place."""
    with _progress(console) as progress:
        if not _has_lists(root, source):
            lists = shelf.obtain(source.lists, console=console, progress=progress)
            unpack_lists(lists.path, root, layout=source.layout)
        listed = listed_clips(root / SPLITS_FOLDER, source.layout)
        unpacking = Unpacking(root, missing_clips(root, listed), listed, progress)
        if unpacking.missing:
            clips = shelf.obtain(source.clips, console=console, progress=progress)
            unpacking.unpack(clips.path)
    if unpacking.strangers:
        strangers = shortened(unpacking.strangers, limit=3)
        say(
            console,
            f"note: left out {counted(len(unpacking.strangers), 'video')} that no official list names: {strangers}",
        )
    return unpacking.placed


def _check(catalog: Catalog, root: Path, *, workers: int | None, console: Console) -> CheckReport:
    with progress_on(console) as progress:
        task = progress.add_task("checking: decoding every clip", total=len(catalog.clips))
        report = check_catalog(
            catalog, workers=workers, progress=lambda done, total: progress.update(task, completed=done, total=total)
        )
    report.save(root)
    return report


def _count(catalog: Catalog, root: Path, source: DatasetSource, report: CheckReport | None) -> GetResult:
    missing = missing_clips(root, listed_clips(root / SPLITS_FOLDER, source.layout))
    return GetResult(
        folder=root,
        source=source,
        class_count=len(catalog.classes),
        clip_count=len(catalog.clips),
        split_sizes=_split_sizes(root, source, present={clip.path.stem for clip in catalog.clips}),
        missing=tuple(printable(f"{label}/{stem}") for stem, label in sorted(missing.items())),
        notes=catalog.notes,
        check=report,
    )


def _has_lists(root: Path, source: DatasetSource) -> bool:
    """Whether the official lists are there, with as many clips as are published."""
    listed = _split_sizes(root, source, present=None)
    return all(
        sum(sizes) > 0 if published is None else sizes == published
        for sizes, published in zip(listed, source.split_sizes, strict=True)
    )


def _split_sizes(root: Path, source: DatasetSource, *, present: set[str] | None) -> tuple[tuple[int, int], ...]:
    """Number of listed train and test clips of each official split; of those present where these are given."""
    sizes = []
    for number in range(1, len(source.split_sizes) + 1):
        try:
            parts = read_official(number, root=root, lists=root / SPLITS_FOLDER)
        except UserError:  # not there yet
            parts = {}
        marks = [part for stem, part in parts.items() if present is None or stem in present]
        sizes.append((marks.count("train"), marks.count("test")))
    return tuple(sizes)


def _progress(console: Console) -> Progress:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    return progress_on(console, *columns)

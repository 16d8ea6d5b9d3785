"""Which runs may form an ensemble: those whose accuracy on one common test part means something.

The trap is the paper's own. Its members were trained on different random splits, so the test clips of one were
training clips of another, and an ensemble of them recognises what it has seen. Here every member's fitted parts are
held against the common test part, file by file and byte by byte, so that a moved or copied data set hides nothing.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from muybridge.dataset.catalog import Catalog, Clip
from muybridge.dataset.contents import read_contents
from muybridge.dataset.duplicates import find_duplicates
from muybridge.dataset.run_clips import require_files, split_of
from muybridge.dataset.split import FITTED_PARTS, Leak, Split
from muybridge.errors import UserError
from muybridge.file_parts import is_there, size_of
from muybridge.inference.recognizer import Recognizer
from muybridge.remote_runs import opened_run
from muybridge.runs import RunFolder
from muybridge.storage.urls import url_at, written
from muybridge.text import counted, printable, shortened

_Identify = Callable[[Clip], Hashable]
_WHAT_TO_DO = "train all members with the same clips, data.protocol and data.split_seed"


@dataclass(frozen=True, eq=False)
class Member:
    """A training run that is to be part of an ensemble.

    Attributes:
        name: The name of its run directory, made unique.
        run: The run directory.
        split: Its clips.
        recognizer: Its model.
        url: Where its run was fetched; None for one of this machine.
    """

    name: str
    run: Path
    split: Split
    recognizer: Recognizer
    url: str | None = None

    def __str__(self) -> str:
        return self.url or str(self.run)


def read_members(
    runs: Sequence[Path],
    *,
    device: torch.device,
    clips_root: str | Path | None = None,
    announce: Callable[[str], None] = lambda line: None,
) -> tuple[Member, ...]:
    """Open the runs, those of a bucket, too.

    Args:
        runs: By path or URL.
        device: Where their models compute.
        clips_root: The folder that holds their clips now, where they were moved.
        announce: Called with what is fetched.

    Raises:
        UserError: If one is no run of a training, has no model, or is named twice.
    """
    members: list[Member] = []
    for named in runs:
        with opened_run(named, announce=announce) as path:
            if path.resolve() in {member.run.resolve() for member in members}:
                raise UserError(f"{written(named)} is named twice; name each member once")
            run = RunFolder.trained(path)
            if not run.model.is_dir():
                raise UserError(f"{path} has no model yet; finish it with: muybridge train --resume {path}")
            if run.fold_figures.is_file():
                raise UserError(
                    f"{path} was measured by folds, and an ensemble decides on a validation part; "
                    "train without data.folds"
                )
            taken = {member.name for member in members}
            stem = printable(path.resolve().name)
            name = next(n for n in (stem, *(f"{stem}-{k}" for k in range(2, len(runs) + 1))) if n not in taken)
            # What was fitted again on all clips has seen the clips that decide and measure.
            recognizer = Recognizer.load(run.deciding_model, device=device)
            members.append(Member(name, path, split_of(run, clips_root), recognizer, url_at(named)))
    return tuple(members)


def common_split(members: Sequence[Member]) -> tuple[Split, Leak]:
    """The split that an ensemble of the members is measured on.

    Returns:
        Test: the test part that all members share. Validation: the clips in the validation part of every member.
        Train: every other clip that some member was fitted on. And the leak of this split.

    Raises:
        UserError: If a member was fitted on test clips of the first, has another test part, or brings clips that
            share a source with test clips where another member's protocol keeps sources apart; if there is no
            test clip or no common validation clip, or their files are gone.
    """
    first = members[0]
    if not first.split.test:
        raise UserError(f"{first} has no test clips to measure an ensemble on; train with a protocol that keeps some")
    identify = _identities(members)
    for member in members[1:]:
        _check_test_part(first, member, identify)
    validations = [{identify(clip) for clip in member.split.clips_of("validation")} for member in members]
    shared = set.intersection(*validations)
    validation = [clip for clip in first.split.clips_of("validation") if identify(clip) in shared]
    if not validation:
        raise UserError(
            "no clip is in the validation part of every member, and the best member, weights and temperatures are "
            f"chosen on such clips; {_WHAT_TO_DO}"
        )
    test = first.split.clips_of("test")
    require_files([*test, *validation], run=first.run, what="test and validation")
    train = _fitted_clips(members, identify, besides=shared)
    split = _united([member.split for member in members], train=train, validation=validation, test=test)
    leak = _leak(split)
    _check_protocols(members, leak)
    return split, leak


def _identities(members: Sequence[Member]) -> _Identify:
    """What makes two clips the same: the bytes of the file, and which part of it; the id where no bytes are known."""
    clips = [clip for member in members for clip in member.split.clips]
    twins = {path: same[0] for same in find_duplicates(clip.path for clip in clips) for path in same}
    sizes = {clip.path: size_of(clip.path) if is_there(clip.path) else 0 for clip in clips}
    by_id = {clip.id: twins.get(clip.path, clip.path) for clip in clips if sizes[clip.path]}
    # A file that is gone is told by what its run recorded, and where that was nothing by its id.
    gone = {clip.recorded.size_bytes for clip in clips if clip.recorded is not None and not sizes[clip.path]}
    contents = read_contents(path for path, size in sizes.items() if size and size in gone)
    by_content = {content: twins.get(path, path) for path, content in contents.items()}

    def identify(clip: Clip) -> Hashable:
        if sizes[clip.path]:
            file: Hashable = twins.get(clip.path, clip.path)
        elif clip.recorded in by_content:
            file = by_content[clip.recorded]
        else:
            file = by_id.get(clip.id, clip.id)
        return file, clip.start_seconds, clip.end_seconds

    return identify


def _check_test_part(first: Member, member: Member, identify: _Identify) -> None:
    """Check that a member was not fitted on the first one's test clips, and has the same ones."""
    expected = {identify(clip): clip for clip in first.split.clips_of("test")}
    own = {identify(clip): clip for clip in member.split.clips_of("test")}
    fitted = [clip for part in FITTED_PARTS for clip in member.split.clips_of(part)]
    fitted_contents, fitted_places = {identify(clip) for clip in fitted}, {_place(clip) for clip in fitted}
    seen = [
        clip.id
        for content, clip in expected.items()
        # A twin on both sides of the member's own split is a leak of that split, counted and printed there.
        if _place(clip) in fitted_places or (content in fitted_contents and content not in own)
    ]
    if seen:
        raise UserError(
            f"{member} was fitted on {len(seen)} of the {counted(len(expected), 'test clip')} of {first} (in its train "
            f"or validation part): {shortened(sorted(seen), limit=5)}; an accuracy on them would mean nothing; "
            f"{_WHAT_TO_DO}"
        )
    missing = sorted(clip.id for content, clip in expected.items() if content not in own)
    further = sorted(clip.id for content, clip in own.items() if content not in expected)
    if missing or further:
        raise UserError(
            f"{member} has another test part than {first} (without {shortened(missing, limit=3) or 'none'}; with "
            f"{shortened(further, limit=3) or 'none'} besides); {_WHAT_TO_DO}"
        )
    relabelled = sorted(clip.id for content, clip in expected.items() if own[content].label != clip.label)
    if relabelled:
        raise UserError(
            f"{member} and {first} label the same test clips differently: {shortened(relabelled, limit=5)}; "
            f"{_WHAT_TO_DO}"
        )


def _fitted_clips(members: Sequence[Member], identify: _Identify, *, besides: set[Hashable]) -> list[Clip]:
    """The clips that any member was fitted on, without the validation clips ``besides``; copies count once."""
    found: list[Clip] = []
    known: set[Hashable] = set()
    for member in members:
        validation = [clip for clip in member.split.clips_of("validation") if identify(clip) not in besides]
        new = [clip for clip in (*member.split.clips_of("train"), *validation) if identify(clip) not in known]
        known.update(identify(clip) for clip in new)
        found += new
    return found


def _united(
    splits: Sequence[Split], *, train: Sequence[Clip], validation: Sequence[Clip], test: Sequence[Clip]
) -> Split:
    """One split of clips that may come from several roots; ids are relative to the first."""
    root = test[0].root
    rooted = [[replace(clip, root=root) for clip in clips] for clips in (train, validation, test)]
    train_ids, validation_ids, test_ids = (tuple(sorted(clip.id for clip in clips)) for clips in rooted)
    return Split(
        protocol=" and ".join(dict.fromkeys(split.protocol for split in splits)),
        seed=splits[0].seed,
        train=train_ids,
        validation=validation_ids,
        test=test_ids,
        clips=tuple(sorted((clip for clips in rooted for clip in clips), key=lambda clip: clip.id)),
        notes=tuple(dict.fromkeys(note for split in splits for note in split.notes)),
    )


def _check_protocols(members: Sequence[Member], leak: Leak) -> None:
    """Check that no member brings siblings of test clips where another's protocol keeps them apart."""
    if len({member.split.protocol for member in members}) == 1:
        return
    for member in members:
        own = _leak(member.split)
        if own.test_shared < leak.test_shared:
            protocols = ", ".join(f"{other}: {other.split.protocol}" for other in members)
            raise UserError(
                f"the members' protocols differ ({protocols}): {own.test_shared} of {own.test_clips} test clips share "
                f"a source with the clips that {member} was fitted on, {leak.test_shared} with those of all members; "
                f"{_WHAT_TO_DO}"
            )


def _leak(split: Split) -> Leak:
    return split.leak(Catalog(root=split.clips[0].root, layout="split", clips=split.clips))


def _place(clip: Clip) -> Hashable:
    return clip.path, clip.start_seconds, clip.end_seconds

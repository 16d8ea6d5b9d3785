"""What ``muybridge check`` prints: a check report as a page of text."""

from collections.abc import Callable, Iterable

from muybridge.checking.checking import CheckedClip, CheckReport
from muybridge.dataset.labels import alike_in_words
from muybridge.dataset.split import Leak
from muybridge.text import counted, shortened

_LISTED = 20


def summarise(report: CheckReport) -> str:
    """A check report as text: first what is wrong, then what the clips are like, then the leak of each protocol."""
    if report.catalog.layout == "file":
        return "\n".join(_of_one_file(report.clips[0]))
    bad, damaged = report.with_status("bad"), report.with_status("damaged")
    lines = [
        f"{counted(len(report.clips), 'clip')} in {counted(len(report.classes), 'class')}, "
        f"layout {report.catalog.layout}"
    ]
    lines += [f"note: {note}" for note in report.catalog.notes]
    lines += _section("do not decode", bad, lambda clip: clip.problem or "")
    lines += _section("decode in part", damaged, lambda clip: clip.problem or "")
    lines += _section("frame count in the header is wrong", report.header_lied, _count_of)
    if report.mended_times:
        lines += _section("times that repeat or go back, put behind the frame before", report.mended_times, _times_of)
    lines.append(f"byte-identical: {len(report.duplicates) or 'none'}")
    lines += [f"  {' = '.join(twin.clip.id for twin in twins)}" for twins in report.duplicates]
    if found := report.catalog.contradictions:
        lines.append(f"WARNING, the same bytes under different labels: {len(found)}; one of each is wrong")
        lines += [f"  {' = '.join(f'{clip.id} ({clip.label})' for clip in clips)}" for clips in found]
    if labels := alike_in_words(report.catalog):
        lines.append(
            f"WARNING, labels look alike: {len(labels)}; train asks: data.alike_labels join makes each set one class, "
            "keep leaves them apart"
        )
        lines += [f"  {each}" for each in labels]
    if report.segments is not None:
        lines += report.segments.lines()
    if report.durations:
        seconds = report.durations
        lines.append(
            f"seconds: {seconds['shortest']:.1f} shortest, {seconds['median']:.1f} median, "
            f"{seconds['longest']:.1f} longest, {seconds['total']:.0f} in all"
        )
    lines.append(f"sizes: {_frequencies(report.frame_sizes)}")
    lines.append(f"frames per second: {_frequencies(report.frame_rates)}")
    width = max(map(len, report.classes))
    lines.append("classes (clips, source groups):")
    lines += [
        f"  {label:<{width}}  {counts['clips']:>5}  {_groups(counts['groups']):>5}"
        for label, counts in report.classes.items()
    ]
    lines.append("protocols (train, validation, test):")
    for name, protocol in report.protocols.items():
        counts = ", ".join(str(count) for count in protocol.clips.values())
        lines.append(f"  {name:<10}  {counts}: {_leak(protocol.leak)}")
    if report.look_alikes is not None:
        lines += report.look_alikes.lines()
    return "\n".join(lines)


def _groups(count: int | None) -> str:
    return "unknown" if count is None else str(count)


def _leak(leak: Leak) -> str:
    """A leak in words; where nothing is known, the notes have said why."""
    if leak.is_known or leak.test_shared:
        return str(leak)
    return "leak unknown"


def _of_one_file(clip: CheckedClip) -> Iterable[str]:
    """The lines on a single file."""
    file = clip.file
    if file is None:
        yield f"{clip.clip.path}: does not decode"
        yield f"problem: {clip.problem}"
        return
    rate = "" if file.frames_per_second is None else f", {file.frames_per_second:.5g} frames per second"
    yield f"{clip.clip.path}: {'decodes' if clip.status == 'ok' else 'decodes in part'}"
    yield (
        f"{counted(file.frame_count, 'frame')}, {file.duration_seconds:.1f} s{rate}, "
        f"{file.width_px}x{file.height_px}, {file.codec}"
    )
    if clip.problem is not None:
        yield f"problem: {clip.problem}"
    if clip.header_lied:
        yield f"frame count in the header is wrong: {_count_of(clip)}"


def _section(title: str, clips: tuple[CheckedClip, ...], text: Callable[[CheckedClip], str]) -> Iterable[str]:
    yield f"{title}: {len(clips) or 'none'}"
    for clip in clips[:_LISTED]:
        yield f"  {clip.clip.id}: {text(clip)}"
    if len(clips) > _LISTED:
        yield f"  and {len(clips) - _LISTED} more, see check.csv"


def _count_of(clip: CheckedClip) -> str:
    assert clip.file is not None
    return f"{clip.file.declared_frames} declared, {clip.file.frame_count} decode"


def _times_of(clip: CheckedClip) -> str:
    assert clip.file is not None
    return f"{clip.file.mended_times} of {counted(clip.file.frame_count, 'frame')}"


def _frequencies(counts: dict[str, int]) -> str:
    return shortened([f"{name} ({count})" for name, count in counts.items()])

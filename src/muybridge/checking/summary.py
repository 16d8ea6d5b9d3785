"""What ``muybridge check`` prints: a check report as a page of text."""

from collections.abc import Callable, Iterable

from muybridge.checking.checking import CheckedClip, CheckReport
from muybridge.dataset.split import Leak
from muybridge.text import counted, shortened

_LISTED = 20


def summarise(report: CheckReport) -> str:
    """A check report as text: first what is wrong, then what the clips are like, then the leak of each protocol."""
    bad, damaged = report.with_status("bad"), report.with_status("damaged")
    lines = [
        f"{counted(len(report.clips), 'clip')} in {counted(len(report.classes), 'class')}, "
        f"layout {report.catalog.layout}"
    ]
    lines += [f"note: {note}" for note in report.catalog.notes]
    lines += _section("do not decode", bad, lambda clip: clip.problem or "")
    lines += _section("decode in part", damaged, lambda clip: clip.problem or "")
    lines += _section("frame count in the header is wrong", report.header_lied, _count_of)
    lines.append(f"byte-identical: {len(report.duplicates) or 'none'}")
    lines += [f"  {' = '.join(twin.clip.id for twin in twins)}" for twins in report.duplicates]
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


def _section(title: str, clips: tuple[CheckedClip, ...], text: Callable[[CheckedClip], str]) -> Iterable[str]:
    yield f"{title}: {len(clips) or 'none'}"
    for clip in clips[:_LISTED]:
        yield f"  {clip.clip.id}: {text(clip)}"
    if len(clips) > _LISTED:
        yield f"  and {len(clips) - _LISTED} more, see check.csv"


def _count_of(clip: CheckedClip) -> str:
    assert clip.file is not None
    return f"{clip.file.declared_frames} declared, {clip.file.frame_count} decode"


def _frequencies(counts: dict[str, int]) -> str:
    return shortened([f"{name} ({count})" for name, count in counts.items()])

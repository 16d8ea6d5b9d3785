"""The times of a stream's frames: seconds since its first one, never going back, also where it is joined again."""

from fractions import Fraction

_JUMP_SECONDS = 10.0


class LiveClock:
    """Gives packets and frames their seconds.

    Times within a connection are those of the stream, or of arrival where it has none. A connection that is joined
    again goes on where the clock of this machine says. So does a stream whose own clock is set anew.

    Args:
        by_arrival: Whether the stream has no times.
        gaps_are_true: Whether a jump forward is a pause in the recording, and not a clock set anew.
    """

    def __init__(self) -> None:
        self._by_arrival = False
        self._gaps_are_true = False
        self._origin: float | None = None
        self._newest = 0.0
        self._newest_arrived: float | None = None
        self._last_frame = 0.0

    def join(self, *, by_arrival: bool, gaps_are_true: bool) -> None:
        """A connection begins."""
        self._by_arrival = by_arrival
        self._gaps_are_true = gaps_are_true
        self._origin = None

    def packet(self, pts: int | None, dts: int | None, time_base: Fraction | None, arrived: float) -> float:
        """The seconds at which the next packet is decoded; these rise also where pictures wait for later ones.

        Args:
            pts: When it is shown, in ticks.
            dts: When it is decoded.
            time_base: Seconds of a tick.
            arrived: When it came, by the monotonic clock.
        """
        own = self._own(pts if dts is None else dts, time_base, arrived)
        waited = 0.0 if self._newest_arrived is None else arrived - self._newest_arrived
        if self._origin is None:  # second 0 is when the first picture is shown
            self._origin = self._own(dts if pts is None else pts, time_base, arrived) - (self._newest + waited)
        seconds = own - self._origin
        late = seconds - self._newest
        if late < -_JUMP_SECONDS or (late > _JUMP_SECONDS + waited and not self._gaps_are_true):
            self._origin = own - (self._newest + waited)
            seconds = self._newest + waited
        self._newest, self._newest_arrived = max(self._newest, seconds), arrived
        return seconds

    def frame(self, ticks: int | None, time_base: Fraction | None, arrived: float) -> float:
        """The seconds of a frame of packets that have come."""
        own = self._own(ticks, time_base, arrived)
        seconds = self._newest if self._origin is None else own - self._origin
        self._last_frame = max(self._last_frame, seconds)
        return self._last_frame

    def _own(self, ticks: int | None, time_base: Fraction | None, arrived: float) -> float:
        if self._by_arrival or ticks is None or time_base is None:
            return arrived
        return float(ticks * time_base)

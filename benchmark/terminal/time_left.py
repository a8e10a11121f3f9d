"""Forecast of the time that is left of several pieces of work, from what was done of each."""

from statistics import fmean
from typing import NamedTuple

FIRST_STEP = 0.05
"""Share of a piece below which its first progress may be one slow step, of which nothing is foretold."""


class _Sight(NamedTuple):
    time: float
    share: float


class TimeLeft:
    """Takes the shares of pieces at work and which are finished; times in seconds on one clock.

    A piece is timed from its first step on: what came before it, such as the start of a process or a first step that
    loads libraries, says nothing of the rest. Nor does the part that an earlier call had done.
    """

    def __init__(self, pieces: int) -> None:
        self._waiting = pieces
        self._first: dict[str, _Sight] = {}
        self._last: dict[str, _Sight] = {}
        self._durations: list[float] = []

    def see(self, piece: str, share: float, now: float) -> None:
        """Note the share of a piece that is done."""
        first = self._first.get(piece)
        if first is None:
            self._waiting -= 1
        if first is None or share < first.share or (first.share == 0 < share < FIRST_STEP):
            self._first[piece] = _Sight(now, share)
        self._last[piece] = _Sight(now, share)

    def finish(self, piece: str, now: float, *, was_worked: bool) -> None:
        """Note that a piece is over; one that was not worked on, as it was done elsewhere, tells nothing of others."""
        first = self._first.pop(piece, None)
        self._last.pop(piece, None)
        if first is None:
            self._waiting -= 1
        elif was_worked and first.share < 1:
            self._durations.append((now - first.time) / (1 - first.share))

    def seconds(self, now: float) -> float | None:
        """Seconds that are left, with as many pieces at work as now; None while no piece has gone beyond its start."""
        durations = {
            piece: (now - first.time) / gained
            for piece, first in self._first.items()
            if (gained := self._last[piece].share - first.share) > 0
        }
        timed = self._durations or list(durations.values())
        if not timed:
            return None
        typical = fmean(timed)
        at_work = [self._rest(piece, durations.get(piece, typical), typical, now) for piece in self._last]
        total = sum(at_work) + self._waiting * typical
        return max([total / max(len(at_work), 1), *at_work])

    def words(self, started: float, now: float) -> str:
        """`3 min 20 s elapsed, ~25 min left`, without the end while that is not known or next to nothing."""
        seconds = self.seconds(now)
        elapsed = f"{time_in_words(now - started)} elapsed"
        return f"{elapsed}, ~{forecast_in_words(seconds)} left" if seconds and seconds > 1 else elapsed

    def _rest(self, piece: str, duration: float, typical: float, now: float) -> float:
        """Seconds left of a piece at work, of which finished ones tell the part that follows the last step too."""
        steps = (1 - self._last[piece].share) * duration
        return max(steps, typical - (now - self._first[piece].time)) if self._durations else steps


def time_in_words(seconds: float) -> str:
    """`2 h 5 min`, `3 min 20 s` or `12 s`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"


def forecast_in_words(seconds: float) -> str:
    """`2 h 5 min`, `4 min` or `12 s`: seconds are told only of the last minute."""
    return time_in_words(seconds if seconds < 60 else 60 * round(seconds / 60)).removesuffix(" 0 s")

"""Time limits of a fit and its progress, which it leaves for the call that waits for it."""

import json
import math
import os
import time
from contextlib import suppress
from pathlib import Path

from benchmark.execution.processes.confine import Watchdog
from benchmark.execution.processes.handover import GRACE_SECONDS, PATIENCE, PROCESS, START_SECONDS

PROGRESS_SECONDS = 0.5
STEPS = 3.0
"""A fit that is over its time may take as long as this many of its longest steps to save a checkpoint and stop."""


class FitClock:
    """Times on the clock of `time.monotonic`; `call_over` is the end of the whole call, infinity where it has none."""

    def __init__(self, progress: Path, seconds: float | None) -> None:
        self.call_over = math.inf if seconds is None else time.monotonic() + seconds
        self._progress = progress
        self._over = self.call_over
        self._patience = GRACE_SECONDS
        self._watchdog: Watchdog | None = None
        self._last_report = time.monotonic()
        self._last_written = -math.inf
        self._phase = "starting"
        self._numbers: dict[str, float] = {}
        self._begun = self._last_report
        self._sights: list[tuple[float, float]] = []

    @property
    def foretold(self) -> float | None:
        """Seconds that the whole fit takes if its later steps take as long as those after its first; None before these.

        What came before the first step counts as it was: it may be a part that has no steps.
        """
        if len(self._sights) < 2:
            return None
        (start, first), (end, last) = self._sights
        steps = (end - start) / (last - first)
        return steps + max(0.0, start - self._begun - first * steps)

    def watch(self, watchdog: Watchdog) -> None:
        """Let a watchdog end this process where it does not stop when its time is over."""
        self._watchdog = watchdog
        watchdog.end_at(max(self._over, time.monotonic()) + START_SECONDS)

    def begin_fit(self, seconds: float | None) -> float | None:
        """The deadline of a fit that may take so long and begins now; None where it has none."""
        self._phase, self._begun = "fitting", time.monotonic()
        self._over = min(self.call_over, math.inf if seconds is None else time.monotonic() + seconds)
        self._be_patient(GRACE_SECONDS, from_now=True)
        return None if math.isinf(self._over) else self._over

    def begin_scores(self, fit_seconds: float) -> None:
        """Nothing is saved of a fit but its scores: they may take as long as the fit took."""
        self._be_patient(fit_seconds, from_now=True)
        self._phase = "scoring"
        self.report(1, 1)

    def report(self, done: int, total: int, **numbers: float) -> None:
        """Leave the progress of this fit where the parent process reads it; half a second is often enough.

        `numbers` stand until others of their names come.
        """
        now = time.monotonic()
        if done:
            self._be_patient(STEPS * (now - self._last_report))
        self._last_report = now
        if self._phase == "fitting" and 0 < done <= total:
            self._see(now, done / total)
        self._numbers |= {name: float(value) for name, value in numbers.items()}
        if done not in (0, total) and now - self._last_written < PROGRESS_SECONDS:
            return
        self._last_written = now
        place = {"phase": self._phase, "done": int(done), "total": int(total), PATIENCE: self._patience}
        place[PROCESS] = os.getpid()
        text = json.dumps({**self._numbers, **place})
        beside = self._progress.with_suffix(".part")
        with suppress(OSError):  # nobody loses a fit for want of its progress
            beside.write_text(text, encoding="utf-8")
            beside.replace(self._progress)

    def _see(self, now: float, share: float) -> None:
        """Note a share of the fit that is done: the first and the last; with one smaller than before it begins anew."""
        if self._sights and share < self._sights[-1][1]:
            self._sights = []
        if not self._sights or share > self._sights[-1][1]:
            self._sights = [*self._sights[:1], (now, share)]

    def _be_patient(self, seconds: float, *, from_now: bool = False) -> None:
        """Give this process so long, at least the usual, to stop when its time is over, or from now on if it is."""
        late = max(0.0, time.monotonic() - self._over) if from_now else 0.0
        self._patience = max(self._patience, late + max(GRACE_SECONDS, seconds))
        if self._watchdog is not None:
            self._watchdog.end_at(self._over + self._patience)

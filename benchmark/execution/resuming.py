"""Going on from what a fit left on disk; where a detector does not take it, the fit is made anew and that is said."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmark.execution.checkpoints import CheckpointFile, KeptState, StateFile
from benchmark.execution.faults import text_of
from methods.errors import MethodError
from protocols.errors import DataError
from results.errors import ResultsError

if TYPE_CHECKING:
    from methods.detector import Detector, TrainData

_LONGEST_LINE = 1000
"""Characters of an error's first line that a record and a message have."""


@dataclass(frozen=True)
class Resumption:
    """`make` gives a detector that nothing was done with; `reraise` raises the errors that are the machine's."""

    make: Callable[[], "Detector"]
    reraise: Callable[[BaseException], None]

    def from_kept(self, kept_state: KeptState, file: StateFile) -> "Detector | None":
        """The detector as its fit left it; None where it does not take the state."""
        detector = self.make()
        try:
            detector.load(kept_state.state)
        except Exception as error:  # noqa: BLE001 - whatever a detector does with a state, it can be fitted anew
            self.reraise(error)
            file.refuse(f"cannot be loaded ({in_brief(error)})")
            return None
        return detector

    def fitted(self, data: "TrainData", checkpoint: CheckpointFile) -> "Detector":
        """The detector after its fit; one that breaks after it took up the checkpoint is fitted without it."""
        from methods.detector import DeadlineReached

        detector = self.make()
        try:
            detector.fit(data)
        except (DeadlineReached, DataError, MethodError, ResultsError, MemoryError):
            raise
        except Exception as error:
            self.reraise(error)
            if not checkpoint.is_loaded:
                raise
            checkpoint.drop(f"does not fit its detector ({in_brief(error)})")
            detector = self.make()
            detector.fit(data)
        return detector


def in_brief(error: BaseException) -> str:
    """An error's kind and the first line of what it says, cut after a thousand characters."""
    lines = text_of(error).splitlines()
    return f"{type(error).__name__}: {lines[0][:_LONGEST_LINE] if lines else 'no message'}"


def recordable_history(detector: "Detector", method: str) -> tuple[dict[str, list[float]], list[str]]:
    """The history of a detector without what no record can hold, and a note on each name that is left out.

    Raises ValueError where it is no history at all.
    """
    try:
        history = {str(name): [float(value) for value in values] for name, values in detector.history.items()}
    except (AttributeError, TypeError, ValueError) as error:
        raise ValueError(f"the history of {method} is not one list of numbers for each name ({error})") from error
    wrong = {name: sum(not math.isfinite(value) for value in values) for name, values in history.items()}
    notes = [
        f"history of {name} left out: {count} of {len(history[name])} numbers are not finite"
        for name, count in wrong.items()
        if count
    ]
    return {name: values for name, values in history.items() if not wrong[name]}, notes

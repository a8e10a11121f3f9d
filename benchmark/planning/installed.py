"""The installed code of detectors, held against the code that made records."""

from collections.abc import Iterable

from benchmark.paths import resolve_folders
from benchmark.planning.code_digest import CodeDigests
from methods.registry import installed
from protocols.text import plural
from results.record import Record


class InstalledCode:
    """Comparison of the code that made records with what is installed now.

    Golden scores guard the versions of our own detectors, so that other code of them is a note. A plug-in's record is
    stale, unless `accept` says that its code may differ.
    """

    def __init__(self, *, accept: bool) -> None:
        self._accept = accept
        self._digests = CodeDigests(resolve_folders().cache / "imports.json")
        self._detectors = {info.detector_id: info for info in installed.methods().values() if info.variant_of is None}
        self._plug_ins = {id_ for id_, info in self._detectors.items() if info.is_plug_in}

    def is_other(self, record: Record) -> bool:
        """True where other code made a finished record; False for a detector that is not installed."""
        info = self._detectors.get(record.spec.fit.detector)
        if info is None or record.provenance is None or record.status != "done":
            return False
        return record.provenance.code_digest != self._digests.of(info.module)

    def stale(self, record: Record) -> str:
        """Reason that a record counts no longer; empty where it does."""
        detector = record.spec.fit.detector
        if self._accept or detector not in self._plug_ins or not self.is_other(record):
            return ""
        return f"made by other code of {detector} than is installed (--accept-stale-code counts it)"

    def note(self, records: Iterable[Record]) -> str:
        """One line on records that count although other code made them; empty where there are none."""
        others = sum(self.is_other(record) and not self.stale(record) for record in records)
        if not others:
            return ""
        runs = plural(others, "run was", "runs were")
        return f"{runs} made by other code than is installed now, of equal versions of the detectors"

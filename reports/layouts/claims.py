"""Claims in the running text of a paper as formulas over the cells of its tables: `claims.toml` in its folder.

`[rows.NAME]` names rows: `cells`, a list of coordinates, or those of all printed cells that have the coordinates
`when`; with `leaves = true` only of cells that are no mean of other printed ones. An entry `[[claims]]` has an `id`,
the `text` as the paper says it, the `table`, its `rows`, and a `kind`:

- `mean_gain`: the mean over the rows of `left` minus `right`, in AUC points;
- `largest_gain`: the largest of these differences;
- `count_above`: the rows, counted, in which `left` is above `right`, or above all `others` at its coordinates;
- `best_range`: the smallest and the largest lead of `left` over the best of `others`, in AUC points, where it leads.

`left` and `right` are coordinates that complete a row, `others` are methods. `printed` is one number a result.
"""

import tomllib
from pathlib import Path
from typing import Literal

import msgspec

from reports.errors import ReportError
from reports.layouts.layout import Layout
from reports.layouts.paper import Paper

CLAIMS_FILE = "claims.toml"
ClaimKind = Literal["mean_gain", "largest_gain", "count_above", "best_range"]


class ClaimRows(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Rows of a table, as coordinates or by a condition."""

    cells: list[dict[str, str]] = []
    when: dict[str, str] = {}
    leaves: bool = False


class Claim(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One sentence of a paper with its formula; `note` is what an audit found."""

    id: str
    text: str
    table: str
    rows: str
    kind: ClaimKind
    left: dict[str, str]
    printed: list[float]
    right: dict[str, str] = {}
    others: list[str] = []
    decimals: int = 0
    note: str = ""


class PaperClaims(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    rows: dict[str, ClaimRows]
    claims: list[Claim]


def read_claims(paper: Paper) -> PaperClaims:
    """The claims of a paper.

    Raises:
        ReportError: it has none, or the file cannot be read or says what claims cannot.
    """
    path = Path(paper.folder, CLAIMS_FILE)
    if not path.exists():
        raise ReportError(f"{paper.name} has no {CLAIMS_FILE}: nobody wrote its claims down as formulas")
    try:
        claims = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), PaperClaims)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise ReportError(f"{CLAIMS_FILE} of {paper.name} cannot be used: {error}") from error
    for claim in claims.claims:
        if claim.rows not in claims.rows or claim.table not in paper.tables:
            raise ReportError(
                f"{CLAIMS_FILE} of {paper.name}: claim {claim.id} names rows or a table that is not there"
            )
    return claims


def claim_rows(rows: ClaimRows, layout: Layout) -> list[dict[str, str]]:
    """Coordinates of the rows, without method and number of labelled anomalies."""
    if rows.cells:
        return [dict(cell) for cell in rows.cells]
    chosen = [
        dict(cell.coordinates)
        for cell in layout.published_cells
        if cell.value and (not rows.leaves or cell.coordinates in layout.leaves)
    ]
    named = [
        tuple((name, value) for name, value in at.items() if name not in {"method", "shots"})
        for at in chosen
        if rows.when.items() <= at.items()
    ]
    return [dict(row) for row in dict.fromkeys(named)]

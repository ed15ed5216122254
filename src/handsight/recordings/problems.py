"""What is wrong with a recording."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from handsight.errors import HandsightError
from handsight.recordings.layout import how_to_mend

MEND = "restore it from a copy of the recording, or mend it with --repair"
"""The remedy for damage that a repair undoes, or whose episodes it leaves out."""


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong.

    Args:
        severity: `error` where something cannot be used or would be wrong, `warning` elsewhere.
        where: the file or folder, below the recording's.
        what: what is wrong there.
        remedy: what mends it.
    """

    severity: Literal["error", "warning"]
    where: str
    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.severity}: {self.where}: {self.what}; {self.remedy}"


ANOTHER = "give the folder of a recording, as `handsight collect` or `handsight ingest` makes one"
"""The remedy for a folder that has no part of a recording."""


def damaged(root: Path, where: str, error: HandsightError) -> Problem:
    """Return the problem that an error tells of, which gives the same advice in its own words."""
    has_parts = any((root / part).is_dir() for part in ("meta", "data", "videos"))
    what = str(error).removesuffix(f"; {how_to_mend(root)}")
    return Problem("error", where, what, MEND if has_parts else ANOTHER)

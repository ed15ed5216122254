"""What is wrong with a recording."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


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

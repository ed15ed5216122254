"""Which object a clip shows, and the split that the object belongs to."""

from __future__ import annotations

import hashlib
import logging
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from handsight.errors import HandsightError

OBJECT_FACTS = {"category": "string", "instance": "string", "object": "int64", "split": "string"}

_BITS = 52
"""Numbers of objects are exact in float64; of MVImgNet's 219,188, two would meet in one of 190,000 tries."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Objects:
    """What is known of the objects of a data set.

    Args:
        data_set: name of its format, so that objects of two data sets differ.
        validation: share of the objects, but for those of a test table, that are for validation.
        test: share of the objects that are for the final figure, where the data set does not say.
        names: of categories that are called otherwise in the data set.

    Raises:
        HandsightError: the shares leave nothing to train on.
    """

    data_set: str
    validation: float
    test: float = 0.0
    names: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        shares = (self.validation, self.test)
        if not all(math.isfinite(share) and share >= 0 for share in shares) or sum(shares) >= 1:
            raise HandsightError(
                f"validation {self.validation} and test {self.test} came; "
                "expected shares of the objects from 0, together below 1"
            )

    def facts(self, category: str, instance: str, table: str | None = None) -> dict[str, Any]:
        """Return `OBJECT_FACTS`; `table` is the part that the data set puts the object in, if it says so."""
        number = object_number(self.data_set, category, instance)
        split = split_of(number, self.validation, self.test if table is None else 0.0)
        return {
            "category": self.names.get(category, category),
            "instance": instance,
            "object": number,
            "split": "test" if table == "test" else split,
        }


def object_number(data_set: str, category: str, instance: str) -> int:
    """Return an object's number, a function of these names alone.

    It stays the same whatever else is ingested with it.
    """
    names = "\0".join((data_set, category, instance)).encode()
    return int.from_bytes(hashlib.blake2b(names, digest_size=8).digest()) >> (64 - _BITS)


def split_of(number: int, validation: float, test: float) -> str:
    """Return an object's part, by its number alone: what is ingested later moves no object."""
    place = number / 2**_BITS
    return "test" if place < test else "validation" if place < test + validation else "train"


def tell_shared(train: Collection[str], test: Collection[str]) -> None:
    """Warn of objects that a data set has both to train on and to test on."""
    shared = sorted(set(train) & set(test))
    if shared:
        _log.warning(
            "%d objects are both in the training and in the test table (the first: %s): "
            "what is measured on them is not about new objects",
            len(shared),
            shared[0],
        )

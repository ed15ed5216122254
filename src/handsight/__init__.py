"""Handsight: visual encoders learned from interaction.

The names that a program needs; each is imported when it is first used, so `import handsight` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from handsight import methods as methods
    from handsight import worlds as worlds
    from handsight.augmentation import Augmentation as Augmentation
    from handsight.encoders import Encoder as Encoder
    from handsight.encoders import load_encoder as load_encoder
    from handsight.errors import HandsightError as HandsightError
    from handsight.export import export as export
    from handsight.recordings import Feature as Feature
    from handsight.recordings import Needs as Needs
    from handsight.recordings import Recording as Recording
    from handsight.recordings import Writer as Writer
    from handsight.recordings import check as check
    from handsight.training import pretrain as pretrain
    from handsight.worlds import collect as collect

_PLACES = {
    "Augmentation": "handsight.augmentation",
    "Encoder": "handsight.encoders",
    "Feature": "handsight.recordings",
    "HandsightError": "handsight.errors",
    "Needs": "handsight.recordings",
    "Recording": "handsight.recordings",
    "Writer": "handsight.recordings",
    "check": "handsight.recordings",
    "collect": "handsight.worlds",
    "export": "handsight.export",
    "load_encoder": "handsight.encoders",
    "methods": "handsight.methods",
    "pretrain": "handsight.training",
    "worlds": "handsight.worlds",
}

__all__ = sorted(_PLACES)


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    if name not in _PLACES:
        raise AttributeError(f"handsight has no {name!r}; it has {', '.join(_PLACES)}")
    module = import_module(_PLACES[name])
    found = module if _PLACES[name] == f"handsight.{name}" and name != "export" else getattr(module, name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(_PLACES)

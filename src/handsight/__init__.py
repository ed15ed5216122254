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
    from handsight.export import export as export_encoder  # noqa: F401 - public under this name
    from handsight.methods.segmenter import load_segmenter as load_segmenter
    from handsight.recordings import Feature as Feature
    from handsight.recordings import Needs as Needs
    from handsight.recordings import Recording as Recording
    from handsight.recordings import Writer as Writer
    from handsight.recordings import check as check
    from handsight.training import pretrain as pretrain
    from handsight.worlds import collect as collect

_PLACES: dict[str, tuple[str, str | None]] = {
    "Augmentation": ("handsight.augmentation", "Augmentation"),
    "Encoder": ("handsight.encoders", "Encoder"),
    "Feature": ("handsight.recordings", "Feature"),
    "HandsightError": ("handsight.errors", "HandsightError"),
    "Needs": ("handsight.recordings", "Needs"),
    "Recording": ("handsight.recordings", "Recording"),
    "Writer": ("handsight.recordings", "Writer"),
    "check": ("handsight.recordings", "check"),
    "collect": ("handsight.worlds", "collect"),
    # Not `export`: the module of that name would take its place once it is imported.
    "export_encoder": ("handsight.export", "export"),
    "load_encoder": ("handsight.encoders", "load_encoder"),
    "load_segmenter": ("handsight.methods.segmenter", "load_segmenter"),
    "methods": ("handsight.methods", None),
    "pretrain": ("handsight.training", "pretrain"),
    "worlds": ("handsight.worlds", None),
}
"""Public name → the module that it stands in and its name there; None is the module itself."""

__all__ = sorted(_PLACES)


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    if name not in _PLACES:
        raise AttributeError(f"handsight has no {name!r}; it has {', '.join(_PLACES)}")
    place, attribute = _PLACES[name]
    module = import_module(place)
    found = module if attribute is None else getattr(module, attribute)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(_PLACES)

"""What came of a tabletop's interactions, in words."""

from __future__ import annotations

import numpy as np

from handsight.recordings import Recording


def summary(recording: Recording) -> str:
    """Return how often each interaction was done and worked, and how many were discarded.

    Args:
        recording: of the tabletop.
    """
    facts = recording.facts
    interaction = np.asarray(facts["interaction"]).astype(str)
    held, moved = np.asarray(facts["success"], bool), np.asarray(facts["moved_m"], float)
    discarded = np.asarray(facts["discarded"])
    lines = []
    for name in sorted(set(interaction)):
        chosen = interaction == name
        count = int(chosen.sum())
        line = f"{name}: {count} episodes"
        if name == "grasp":
            line += f", {int(held[chosen].sum())} held ({held[chosen].mean():.1%})"
        if name in ("push", "identity"):
            line += f", {int((moved[chosen] > 0.005).sum())} moved the object by more than 5 mm"
        lines.append(f"{line}; {int(discarded[chosen].sum())} discarded")
    total = int(discarded.sum())
    lines.append(f"discarded and done anew: {total} of {total + len(interaction)} interactions")
    return "\n".join(lines)

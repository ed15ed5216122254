"""Fitness: whether a recording has what a method needs, and which methods it can train."""

from __future__ import annotations

from handsight.errors import HandsightError
from handsight.methods import METHODS, Method
from handsight.recordings import BOOKKEEPING, Needs, Recording


def check_needs(method: Method, recording: Recording) -> None:
    """Refuse a recording that cannot train a method, and say which methods it can train.

    Raises:
        HandsightError: naming the stream, the method and the methods that would work.
    """
    if recording.num_episodes == 0:
        raise HandsightError(f"{recording.root} has no episodes; record some, or give another folder")
    for need, needs in method.needs.items():
        lacks = _lacking(needs, recording)
        if lacks is None:
            continue
        what, has = lacks
        works = ", ".join(trainable_methods(recording)) or "none"
        remedy = method.do_without(need) or ("Say which to use: --action NAME" if "stream" in what else "")
        if what.startswith("camera"):
            remedy = "Name one of these in the method's options, or null for any"
        raise HandsightError(
            f"{recording.root} has no {what}, which {method.name} needs"
            f" (it has: {', '.join(has) or 'none'}).{f' {remedy}.' if remedy else ''}"
            f" Methods that can train on it as it is: {works}"
        )


def _lacking(needs: Needs, recording: Recording) -> tuple[str, list[str]] | None:
    """Return what a recording lacks for a need, and what it has of that kind; None where it lacks nothing."""
    missing = needs.missing(recording.features, recording.facts)
    if missing and missing[0] in needs.between:
        named = [
            name
            for name, feature in recording.features.items()
            if not feature.is_camera and name not in BOOKKEEPING
        ]
        return f"stream '{missing[0]}'", named
    if missing:
        return f"fact '{missing[0]}'", list(recording.facts)
    if needs.camera is not None and needs.camera not in recording.cameras:
        return f"camera '{needs.camera}' in use", list(recording.cameras)
    for fact, values in needs.where.items():
        there = {str(value) for value in recording.facts[fact]}
        if not there & set(values):
            return f"episode whose {fact} is {' or '.join(values)}", sorted(there)
    return None


def trainable_methods(recording: Recording) -> list[str]:
    """Return the names of the methods that this recording can train with their default needs."""
    if not recording.cameras:
        return []
    return [
        name
        for name, method in METHODS.items()
        if all(_lacking(needs, recording) is None for needs in method.default_needs.values())
    ]

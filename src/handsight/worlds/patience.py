"""Patience: how long an episode may take before whoever makes it is taken to be stuck."""

from __future__ import annotations

import logging

TIMES = 20.0
"""How many times as long as the longest episode so far another may take, where the user sets no limit."""

LEAST_S = 600.0
"""No episode is given up before this, where the user sets no limit."""

START_S = 120.0
"""A process has this long to begin, beside the limit of its first episode."""

log = logging.getLogger("handsight")


class Patience:
    """How long to wait for an episode.

    Args:
        limit_s: set by the user; 0 is without end. None follows from the episodes: `TIMES` times the longest
            so far, `LEAST_S` or more, and without end before the first is done.

    Attributes:
        why: where the limit comes from, to follow it in a sentence.
    """

    def __init__(self, limit_s: float | None) -> None:
        self._fixed_s = limit_s
        self._longest_s: float | None = None
        self._said = False
        own = f", where no other took more than a {TIMES:g}th of that"
        self.why = own if limit_s is None else " (--episode-limit-s sets how long is too long)"

    def learn(self, took_s: float) -> None:
        """Take note of an episode that was made."""
        self._longest_s = max(self._longest_s or 0.0, took_s)

    def limit_s(self, spent_s: float, *, begun: bool) -> float:
        """Return how long an episode may take that has taken `spent_s` by now, in s.

        Args:
            spent_s: how long it was waited for.
            begun: whether its process has begun to listen.
        """
        if self._fixed_s is not None:
            limit_s = self._fixed_s or float("inf")
        elif self._longest_s is not None:
            limit_s = max(LEAST_S, TIMES * self._longest_s)
        else:
            self._say(spent_s)
            return float("inf")
        return limit_s if begun else max(limit_s, START_S)

    def _say(self, waited_s: float) -> None:
        if waited_s > LEAST_S and not self._said:
            self._said = True
            log.warning(
                "no episode is done after %.0f s; if they should not take that long, stop (Ctrl-C)", waited_s
            )

"""Actions: what was done between a sample's two frames, from one stream or several, as one vector."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from handsight.errors import HandsightError
from handsight.objectives import ActionNormalisation
from handsight.recordings import BOUNDED, Batch, Between, Sampler


class Actions(nn.Module):
    """What was done between two frames, `[B, A]`: the numbers of each stream one after another, normalised.

    Sines, cosines and quaternions are on one scale already and stay as they are. Every other number is
    brought to mean 0 and standard deviation 1 over the training pairs, and dropped where it never changes.
    Mean, deviation and choice are buffers of `normalisation`, kept in the checkpoint.

    Args:
        stream: name of the stream, or several names in the order that their numbers shall have.
        between: what lies between two frames of each of them; None takes what each declares.
        limit: numbers that are not on one scale are clipped to ±limit before they are measured and
            normalised; None leaves them. The paper clips MVImgNet's translations to 50.

    Raises:
        HandsightError: no stream, one twice, or a limit that is not above zero.
    """

    normalisation: ActionNormalisation
    _limit: Tensor

    def __init__(
        self, stream: str | tuple[str, ...], between: Between | None = None, limit: float | None = None
    ) -> None:
        super().__init__()
        self.streams = (stream,) if isinstance(stream, str) else tuple(stream)
        if not self.streams or len(set(self.streams)) < len(self.streams):
            listed = ", ".join(self.streams) or "nothing"
            raise HandsightError(f"the action's streams are {listed}; name at least one, and each once")
        if limit is not None and not limit > 0:
            raise HandsightError(f"the action's limit is {limit}; it must be above zero")
        self.between: Mapping[str, Between | None] = dict.fromkeys(self.streams, between)
        self._asked_limit = limit

    def prepare(self, sampler: Sampler, need: str) -> None:
        """Learn the action's size and scale from training pairs of a need whose `between` is this one's."""
        parts, names, bounded = [], [], []
        for stream in self.streams:
            part, kind = sampler.between_samples(need, stream), sampler.kinds[need, stream]
            parts.append(part)
            names += _names(stream, sampler.clips.feature(stream).names, part.shape[1], len(self.streams) > 1)
            bounded += [kind in BOUNDED] * part.shape[1]
        as_is = torch.tensor(bounded)
        limit = torch.full(as_is.shape, float("inf") if self._asked_limit is None else self._asked_limit)
        self.register_buffer("_limit", limit.masked_fill(as_is, float("inf")), persistent=False)
        self.normalisation = ActionNormalisation.of(self._clipped(torch.cat(parts, dim=1)), names, as_is)

    @property
    def size(self) -> int:
        """A: numbers in an action."""
        return self.normalisation.size

    def forward(self, batch: Batch) -> Tensor:
        """Return the actions of a batch, `[B, A]`."""
        actions = torch.cat([batch[stream] for stream in self.streams], dim=1)
        normalised: Tensor = self.normalisation(self._clipped(actions))
        return normalised

    def _clipped(self, actions: Tensor) -> Tensor:
        return actions if self._asked_limit is None else actions.clamp(-self._limit, self._limit)


def _names(stream: str, names: tuple[str, ...] | None, count: int, several: bool) -> list[str]:
    """Return what a warning calls the `count` numbers of a stream."""
    own = names if names is not None and len(names) == count else tuple(map(str, range(count)))
    return [f"{stream} {name}" if several else name for name in own]

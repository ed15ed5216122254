"""Agents: what acts in a place, judges what came of it, and remembers it."""

from handsight.agents.gathering import Waiting as Waiting
from handsight.agents.learning import make_memory as make_memory
from handsight.agents.memory import Memory as Memory

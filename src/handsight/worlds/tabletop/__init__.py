"""The tabletop: objects on a table, a camera above, and a hand that grasps, pushes and pokes."""

from handsight.worlds.tabletop.world import Tabletop as Tabletop

"""Repair: a recording that a kill, a full disk or another program damaged becomes whole again."""

from handsight.recordings.repair.mend import Repaired as Repaired
from handsight.recordings.repair.mend import repair as repair
from handsight.recordings.repair.plan import Repair as Repair

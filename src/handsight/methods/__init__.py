"""The published systems, a file each, and their baselines."""

from handsight.methods.action_aware import ActionAware as ActionAware
from handsight.methods.method import Method as Method
from handsight.methods.method import Optimisation as Optimisation
from handsight.methods.simclr import SimCLR as SimCLR
from handsight.methods.simclr import SimCLRTT as SimCLRTT
from handsight.methods.supervised import Supervised as Supervised

METHODS: dict[str, type[Method]] = {
    method.name: method for method in (SimCLR, SimCLRTT, ActionAware, Supervised)
}
"""Name on the command line → class.

A new method joins here, and the command line, its help, YAML and resume know it.
"""

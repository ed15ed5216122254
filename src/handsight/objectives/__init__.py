"""Objectives: what one signal teaches. Pure losses and the small heads that belong to them."""

from handsight.objectives.action import ActionHead as ActionHead
from handsight.objectives.action import ActionNormalisation as ActionNormalisation
from handsight.objectives.action import PairHead as PairHead
from handsight.objectives.classify import LinearClassifier as LinearClassifier
from handsight.objectives.classify import classification_loss as classification_loss
from handsight.objectives.contrast import Projector as Projector
from handsight.objectives.contrast import nt_xent as nt_xent

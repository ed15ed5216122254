"""Objectives: what one signal teaches. Pure losses and the small heads that belong to them.

All keep to this, and the conformance suite asks it of each name here:

- A loss is a function of tensors `[B, …]`, one row a sample, and of plain settings; it draws nothing at
  random and changes nothing that it is given.
- It gives a scalar in float32 (float64 for float64), also for half precision and under autocast, and finite
  with finite gradients for finite samples, zeros and equal ones too.
- It is the mean over the samples of this process: the mean over processes is the whole batch's loss, and so
  are the gradients. What sees other samples gets them by `gather`.
- The order of the samples makes no difference. No gradient reaches what it calls a target.
- Too few samples, or rows that do not belong together, are a `HandsightError` of one line.
- A head is a module from `[B, …]` to `[B, out]`, a decoder to `[B, 3, size, size]`; in evaluation no sample
  sees another, and its state is tensors alone.
"""

from handsight.objectives.action import ActionHead as ActionHead
from handsight.objectives.action import ActionNormalisation as ActionNormalisation
from handsight.objectives.action import PairHead as PairHead
from handsight.objectives.byol import byol as byol
from handsight.objectives.classify import LinearClassifier as LinearClassifier
from handsight.objectives.classify import classification_loss as classification_loss
from handsight.objectives.contrast import Projector as Projector
from handsight.objectives.contrast import nt_xent as nt_xent
from handsight.objectives.equivariance import EquivariantPredictor as EquivariantPredictor
from handsight.objectives.equivariance import EquivariantProjector as EquivariantProjector
from handsight.objectives.grasp import GraspHead as GraspHead
from handsight.objectives.grasp import grasp_loss as grasp_loss
from handsight.objectives.grouping import embedding_loss as embedding_loss
from handsight.objectives.identity import identity_loss as identity_loss
from handsight.objectives.interaction import InteractionHeads as InteractionHeads
from handsight.objectives.interaction import force_loss as force_loss
from handsight.objectives.interaction import score_loss as score_loss
from handsight.objectives.poke import PokeHead as PokeHead
from handsight.objectives.push import PushHead as PushHead
from handsight.objectives.reconstruct import PictureDecoder as PictureDecoder
from handsight.objectives.reconstruct import reconstruction_loss as reconstruction_loss
from handsight.objectives.regression import TargetNormalisation as TargetNormalisation
from handsight.objectives.regression import mean_squared_error as mean_squared_error
from handsight.objectives.robust_set import robust_set_loss as robust_set_loss
from handsight.objectives.vicreg import Expander as Expander
from handsight.objectives.vicreg import vicreg as vicreg

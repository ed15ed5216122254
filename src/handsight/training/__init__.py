"""The training loop, its checkpoints and its logs."""

from handsight.training.estimate import Estimate as Estimate
from handsight.training.estimate import estimate as estimate
from handsight.training.fitness import trainable_methods as trainable_methods
from handsight.training.loop import Monitor as Monitor
from handsight.training.loop import Progress as Progress
from handsight.training.loop import Stopped as Stopped
from handsight.training.pretrain import prepare as prepare
from handsight.training.pretrain import pretrain as pretrain
from handsight.training.pretrain import train as train
from handsight.training.run import Run as Run
from handsight.training.run import duration_s as duration_s
from handsight.training.run import made_with as made_with
from handsight.training.run import read_config as read_config
from handsight.training.run import read_log as read_log
from handsight.training.settings import Training as Training
from handsight.training.steps import Steps as Steps

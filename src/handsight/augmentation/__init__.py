"""Augmentation: whole batches on the device, parameters per image, labels moved along with the pixels."""

from handsight.augmentation.labels import MovedLabels as MovedLabels
from handsight.augmentation.labels import check_moves as check_moves
from handsight.augmentation.labels import move_labels as move_labels
from handsight.augmentation.parameters import Parameters as Parameters
from handsight.augmentation.pipeline import Augmentation as Augmentation

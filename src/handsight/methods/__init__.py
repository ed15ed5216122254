"""The published systems, a file each, and their baselines."""

from handsight.methods.action_aware import ActionAware as ActionAware
from handsight.methods.autoencoder import AutoEncoder as AutoEncoder
from handsight.methods.byol import BYOL as BYOL
from handsight.methods.byol import BYOLTT as BYOLTT
from handsight.methods.ciper import CIPER as CIPER
from handsight.methods.curious_robot import CuriousRobot as CuriousRobot
from handsight.methods.equimod import EquiMod as EquiMod
from handsight.methods.learning_to_interact import LearningToInteract as LearningToInteract
from handsight.methods.mask_rcnn import MaskRCNN as MaskRCNN
from handsight.methods.method import Method as Method
from handsight.methods.method import Optimisation as Optimisation
from handsight.methods.method import Stage as Stage
from handsight.methods.simclr import SimCLR as SimCLR
from handsight.methods.simclr import SimCLRTT as SimCLRTT
from handsight.methods.supervised import Supervised as Supervised
from handsight.methods.vicreg import VICReg as VICReg
from handsight.methods.vicreg import VICRegTT as VICRegTT
from handsight.methods.video_pca import VideoPCA as VideoPCA

METHODS: dict[str, type[Method]] = {
    method.name: method
    for method in (
        *(SimCLR, SimCLRTT, BYOL, BYOLTT, VICReg, VICRegTT),
        AutoEncoder,
        *(ActionAware, CIPER, EquiMod),
        CuriousRobot,
        LearningToInteract,
        MaskRCNN,
        VideoPCA,
        Supervised,
    )
}
"""Name on the command line → class.

A new method joins here, and the command line, its help, YAML and resume know it.
"""

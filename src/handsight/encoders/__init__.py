"""Encoders: what sees."""

from handsight.encoders.batches import Images as Images
from handsight.encoders.calibration import calibrate_batch_norm as calibrate_batch_norm
from handsight.encoders.calibration import random_encoder_calibrated as random_encoder_calibrated
from handsight.encoders.encoder import Encoder as Encoder
from handsight.encoders.encoder import load_encoder as load_encoder

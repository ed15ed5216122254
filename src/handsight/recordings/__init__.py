"""Recordings: what was done and seen, on disk in LeRobotDataset v3.0."""

from handsight.recordings.cache import FrameCache as FrameCache
from handsight.recordings.clips import Clips as Clips
from handsight.recordings.features import Feature as Feature
from handsight.recordings.features import camera as camera
from handsight.recordings.needs import Needs as Needs
from handsight.recordings.recording import Recording as Recording
from handsight.recordings.sampler import Sampler as Sampler
from handsight.recordings.splits import split_by_episode as split_by_episode
from handsight.recordings.writer import Writer as Writer

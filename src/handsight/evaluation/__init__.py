"""What was learned: a protocol a file, with its controls and its intervals."""

from handsight.evaluation.alignment import viewpoint_alignment as viewpoint_alignment
from handsight.evaluation.cloning import behaviour_cloning as behaviour_cloning
from handsight.evaluation.cloning import choose_starts as choose_starts
from handsight.evaluation.dynamics import choose_pairs as choose_pairs
from handsight.evaluation.dynamics import inverse_dynamics as inverse_dynamics
from handsight.evaluation.evaluate import SPLITS as SPLITS
from handsight.evaluation.evaluate import ObjectBenchmark as ObjectBenchmark
from handsight.evaluation.evaluate import Split as Split
from handsight.evaluation.evaluate import object_benchmark as object_benchmark
from handsight.evaluation.features import Features as Features
from handsight.evaluation.features import LabelledFrames as LabelledFrames
from handsight.evaluation.features import embed_frames as embed_frames
from handsight.evaluation.features import extract as extract
from handsight.evaluation.intervals import Interval as Interval
from handsight.evaluation.knn import OnlineKNN as OnlineKNN
from handsight.evaluation.online import OnlineCollapse as OnlineCollapse
from handsight.evaluation.robot import RobotProbe as RobotProbe
from handsight.evaluation.robot import Trajectories as Trajectories
from handsight.evaluation.seeds import over_seeds as over_seeds
from handsight.evaluation.table import Measure as Measure
from handsight.evaluation.table import Published as Published
from handsight.evaluation.table import Table as Table
from handsight.evaluation.table import in_words as in_words
from handsight.evaluation.turns import turn_probe as turn_probe

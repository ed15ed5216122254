"""One self-contained HTML page of a run or of a study."""

from handsight.report.activations import ActiveUnit as ActiveUnit
from handsight.report.activations import activations_section as activations_section
from handsight.report.activations import active_units as active_units
from handsight.report.clips import Clip as Clip
from handsight.report.clips import clips_section as clips_section
from handsight.report.curves import curves_section as curves_section
from handsight.report.examples import example_clips as example_clips
from handsight.report.facts import facts_section as facts_section
from handsight.report.map import EmbeddingMap as EmbeddingMap
from handsight.report.map import choose_rows as choose_rows
from handsight.report.map import embed_2d as embed_2d
from handsight.report.map import map_section as map_section
from handsight.report.neighbours import Neighbour as Neighbour
from handsight.report.neighbours import Query as Query
from handsight.report.neighbours import find_neighbours as find_neighbours
from handsight.report.neighbours import neighbours_section as neighbours_section
from handsight.report.page import Report as Report
from handsight.report.page import Section as Section
from handsight.report.page import missing_section as missing_section
from handsight.report.page import write as write
from handsight.report.results import table_section as table_section
from handsight.report.run import run_report as run_report
from handsight.report.study import study_report as study_report

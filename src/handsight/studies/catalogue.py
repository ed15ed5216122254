"""Every study there is, by name."""

from handsight.studies import action_aware, action_aware_cost, curious_robot, learning_to_interact
from handsight.studies.study import Study

STUDIES: dict[str, Study] = {
    study.name: study
    for paper in (action_aware, action_aware_cost, curious_robot, learning_to_interact)
    for study in paper.STUDIES
}
"""`paper/table` → study."""

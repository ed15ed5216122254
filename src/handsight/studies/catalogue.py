"""Every study there is, by name."""

from handsight.studies import action_aware
from handsight.studies.study import Study

STUDIES: dict[str, Study] = {study.name: study for study in action_aware.STUDIES}
"""`paper/table` → study."""

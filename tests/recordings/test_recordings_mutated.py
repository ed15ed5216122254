"""Recordings damaged in every way: one clear line or a clean read, never a traceback, a crash or a hang.

`benchmarks/mutations.py` looks at more of them.
"""

import pytest
from recordings_looking import look_at_all
from recordings_wild import make_bases

SEEDS = 120


@pytest.mark.slow
def test_damaged_recordings_read_clean_or_say_one_line_and_a_repair_loses_nothing(tmp_path):
    reports = look_at_all(make_bases(tmp_path), range(SEEDS))
    faults = [
        (base, seed, report["damage"], report["fault"]) for base, seed, report in reports if "fault" in report
    ]
    assert len(reports) == SEEDS
    assert not faults, f"{len(faults)} of {SEEDS}: {faults[:5]}"
    assert sum(report["errors"] > 0 for _, _, report in reports) > SEEDS / 2  # the damage is real

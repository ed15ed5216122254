"""Damages small recordings in every way, by seed, and looks at what comes of it.

Each is opened, read, cached, checked and repaired in a process of its own: a crash, a hang or a flood
of memory has a seed. Prints a table, and writes docs/results/mutations.json.

    python benchmarks/mutations.py [SEEDS [FIRST]]
"""

import json
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests" / "recordings"))

from recordings_looking import look_at_all  # noqa: E402
from recordings_wild import make_bases  # noqa: E402

from handsight.training import made_with  # noqa: E402


def main(count: int, first: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        bases = make_bases(Path(folder))
        begin_s = time.monotonic()
        reports = look_at_all(bases, range(first, first + count))
        took_s = time.monotonic() - begin_s
    kinds = Counter(kind for _, _, report in reports for kind in report.get("damage", ()))
    faults = [
        [base, seed, report.get("damage"), report["fault"]]
        for base, seed, report in reports
        if "fault" in report
    ]
    fine = [report for _, _, report in reports if "fault" not in report]
    found = {
        "recordings": len(reports),
        "first_seed": first,
        "faults": faults,
        "read clean, check finds no error": sum(not report["errors"] for report in fine),
        "check finds an error": sum(report["errors"] > 0 for report in fine),
        "of these, whole after --repair": sum(
            report["errors"] > 0 and report["left"] is None for report in fine
        ),
        "of these, left with an error or refused": sum(
            report["errors"] > 0 and report["left"] is not None for report in fine
        ),
        "damage": dict(kinds.most_common()),
        "seconds": round(took_s, 1),
        "versions": made_with(),
    }
    for name, value in found.items():
        print(f"{name}: {value}")
    (HERE.parent / "docs/results/mutations.json").write_text(json.dumps(found, indent=2) + "\n")
    if faults:
        sys.exit(1)


if __name__ == "__main__":
    main(*(int(argument) for argument in (*sys.argv[1:3], *("1000", "0")[len(sys.argv) - 1 :])))

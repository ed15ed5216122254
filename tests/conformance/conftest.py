"""The suites of this room take the small inputs that the sources' own tests make."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "sources"))

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture
def real_video() -> Path:
    folder = Path(os.environ.get("HANDSIGHT_REAL_DATA") or Path(__file__).parents[3] / "shared" / "data")
    path = folder / "flipping-a-pancake.mkv"
    if not path.is_file():
        pytest.skip(f"real data is absent: {path}")
    return path

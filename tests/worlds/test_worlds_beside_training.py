"""A program may draw and then train: two compilers in one process must not meet."""

import os
import subprocess
import sys

DRAW_THEN_TRAIN = """
from handsight.worlds import Turntable
Turntable(image_size=16, views=1, categories=("mug",)).episode(0, 0)
import torch._dynamo
print("both")
"""


def test_drawing_and_then_loading_what_training_needs_does_not_end_the_process():
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run(
        [sys.executable, "-c", DRAW_THEN_TRAIN], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "both"

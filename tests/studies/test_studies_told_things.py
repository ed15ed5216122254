"""The figure of what an agent sees and tells: a row a room, five panels, wherever the network is."""

import cv2
import numpy as np
import pytest
import torch

from handsight.methods import LearningToInteract
from handsight.studies.told_things import GAP_PX, PANEL_PX, ROWS, draw_told
from handsight.worlds import Rooms


@pytest.mark.parametrize("where", ["cpu", "cuda"])
def test_the_figure_shows_views_scores_things_and_truth(tmp_path, where):
    if where == "cuda" and not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    torch.manual_seed(0)
    method = LearningToInteract(image_size=75, encoder_options={"width": 0.1, "padded": True}, hidden=4)
    place = Rooms(image_size=75)
    sheet = cv2.imread(str(draw_told(method.to(where).segmenter, place, tmp_path / "pictures" / "rooms.png")))
    place.close()
    step = PANEL_PX + GAP_PX
    assert sheet.shape == (ROWS * step + GAP_PX, 5 * step + GAP_PX, 3)
    panels = np.array(
        [
            [
                sheet[down : down + PANEL_PX, right : right + PANEL_PX]
                for right in range(GAP_PX, 5 * step, step)
            ]
            for down in range(GAP_PX, ROWS * step, step)
        ],
        np.int64,
    )
    views, scores, _, truth, felt = panels.swapaxes(0, 1)
    blue, green, red = scores.mean((0, 1, 2))
    assert green > red + 10
    assert abs(blue - red) < 5
    # The most crowded of the rooms were chosen: truth is drawn over each view, and so is what was pushed.
    assert (np.abs(truth - views).max((1, 2, 3)) > 30).all()
    assert (np.abs(felt - views).max((1, 2, 3)) > 30).sum() >= ROWS - 1

"""VideoPCA's network: its loss against an independent reference, and that it learns where squares are."""

import numpy as np
import pytest
import torch

from films import write_films
from handsight.errors import HandsightError
from handsight.methods import VideoPCA
from handsight.recordings import Recording
from handsight.training import pretrain

NETWORK = {"encoder": "unet-interaction", "image_size": 75, "encoder_options": {"width": 0.15}}


def make(**options):
    torch.manual_seed(0)
    return VideoPCA(**{**NETWORK, "hidden": 16, "coordinate_scale": 0.1, **options})


def batch(images, depth_m, mask):
    return {"film": {"views": images[:, None], "observation.depth_m": depth_m, "film.mask": mask}}


def test_the_loss_is_the_squared_error_of_what_is_told():
    method = make().eval()
    pictures = torch.randint(256, (3, 75, 75, 3), dtype=torch.uint8)
    depth_m, mask = torch.rand(3, 75, 75) + 0.5, torch.rand(3, 25, 25)
    (losses,) = method.losses(batch(pictures.permute(0, 3, 1, 2) / 255, depth_m, mask))
    told = method.soft_masks(pictures.numpy(), depth_m.numpy())
    assert losses["mask"].item() == pytest.approx(((told - mask.numpy()) ** 2).mean(), rel=1e-4)
    assert not np.allclose(told, method.soft_masks(pictures.numpy(), 2 * depth_m.numpy()))


def test_recordings_of_another_size_are_learned_from_too():
    method = make().eval()
    pictures, depth_m, mask = torch.rand(2, 3, 75, 75), torch.rand(2, 75, 75), torch.rand(2, 25, 25)
    wanted = next(method.losses(batch(pictures, depth_m, mask)))["mask"]
    doubled = (each.repeat_interleave(2, 1).repeat_interleave(2, 2) for each in (depth_m, mask))
    torch.testing.assert_close(next(method.losses(batch(pictures, *doubled)))["mask"], wanted)


def test_it_learns_where_squares_are(tmp_path):
    recording = Recording(write_films(tmp_path / "squares", locations=80, size=75))
    method = make()
    pretrain(method, recording, out=tmp_path / "run", steps=60, batch_size=8, learning_rate=3e-3)
    tests = np.arange(3, 80, 4)
    images = recording.frames(tests, recording.cameras[0])
    depths_m = recording.stream("observation.depth_m")[tests].astype(np.float32)
    told = method.soft_masks(images, depths_m)
    truth = recording.stream("film.mask")[tests] > 0.5
    assert told[truth].mean() > told[~truth].mean() + 0.2
    assert method.training


def test_options_that_cannot_be_are_refused():
    with pytest.raises(HandsightError, match=r"^hidden is 0; it must be at least 1$"):
        make(hidden=0)

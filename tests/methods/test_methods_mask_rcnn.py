"""Mask R-CNN: what attempts say of things, its anchors and losses, and that it learns to tell squares."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from experiences import write_experiences
from handsight.encoders import Encoder
from handsight.errors import HandsightError
from handsight.evaluation.detection import picture
from handsight.methods import MaskRCNN
from handsight.methods.detector import Detector
from handsight.methods.mask_rcnn import things
from handsight.objectives.attempted import UNTESTED
from handsight.recordings import Recording
from handsight.training import pretrain

TINY = {"channels": [4, 8, 8, 8], "stem_width": 4}
FAILED, RIGHT, TOO_SMALL, TOO_LARGE = range(4)


def square(top, left, side, grid=10):
    mask = torch.zeros(grid, grid, dtype=torch.bool)
    mask[top : top + side, left : left + side] = True
    return mask


def said(*attempts, size=30, mass=True):
    masks, feedback, force = zip(*attempts, strict=True)
    return things(torch.stack(masks), torch.tensor(feedback), torch.tensor(force), size, mass)


def test_a_success_is_a_thing_with_its_box_in_pixels():
    found = said((square(1, 2, 3), RIGHT, 0), (square(6, 6, 2), FAILED, 0), (square(5, 0, 4), RIGHT, 2))
    assert found["boxes"].tolist() == [[6, 3, 15, 12], [0, 15, 12, 27]]
    assert found["labels"].tolist() == [1, 3]
    assert torch.equal(
        found["masks"][0].bool(), square(1, 2, 3).repeat_interleave(3, 0).repeat_interleave(3, 1)
    )
    assert found["masks"].dtype == torch.uint8


def test_of_several_attempts_on_one_thing_the_first_counts():
    near, far = square(2, 2, 4), square(3, 4, 4)
    assert len(said((square(2, 2, 5), RIGHT, 0), (near, RIGHT, 1), (far, RIGHT, 2))["labels"]) == 2
    found = said((near, RIGHT, 1), (square(2, 2, 5), RIGHT, 0), (square(6, 6, 4), RIGHT, 0))
    assert found["labels"].tolist() == [2, 1]
    assert found["masks"][0].sum() == near.sum() * 9


@pytest.mark.parametrize(
    ("feedback", "force", "least"),
    [
        (RIGHT, 0, 0),
        (RIGHT, 2, 2),
        (TOO_LARGE, 2, 1),
        (TOO_LARGE, 1, 0),
        (TOO_SMALL, 0, 2),
        (TOO_SMALL, 1, 2),
    ],
)
def test_the_class_is_the_least_force_known_to_have_moved_it(feedback, force, least):
    attempt = (square(1, 1, 3), feedback, force)
    assert said(attempt)["labels"].tolist() == [least + 1]
    assert said(attempt, mass=False)["labels"].tolist() == [1]


def test_what_an_untested_force_moved_has_no_class_and_is_a_thing_all_the_same():
    attempts = (square(1, 1, 3), RIGHT, UNTESTED), (square(5, 5, 3), RIGHT, 1)
    assert said(*attempts)["labels"].tolist() == [2]
    assert said(*attempts, mass=False)["labels"].tolist() == [1, 1]


def test_where_nothing_moved_there_are_no_things():
    found = said((square(1, 1, 3), FAILED, 0), (square(1, 1, 0), RIGHT, 0))
    assert {name: list(value.shape) for name, value in found.items()} == {
        "boxes": [0, 4],
        "labels": [0],
        "masks": [0, 30, 30],
    }


@pytest.mark.parametrize("size", [150, 300])
def test_anchors_lie_where_the_cells_are(size):
    """Cell i of a level of stride s is centred at pixel i · s, to the last one, whatever the size."""
    detector = Detector((4, 4, 4, 4), size, 1, 8, 8, 16)
    levels = [-(-size // stride) for stride in (4, 8, 16, 32)]
    maps = [torch.zeros(1, 4, level, level) for level in levels]
    features = detector.parts.backbone(maps)
    (anchors,) = detector.parts.rpn.anchor_generator(detector._images(maps), list(features.values()))
    first = 0
    for stride, level, smallest in zip((4, 8, 16, 32), levels, (32, 64, 128, 256), strict=True):
        mine = anchors[first : first + 3 * level**2].view(level, level, 3, 4)
        centre = (mine[..., :2] + mine[..., 2:]) / 2
        torch.testing.assert_close(
            centre[level - 1, 1, 0], torch.tensor([stride, stride * (level - 1)]).float()
        )
        sides = mine[0, 0, :, 2:] - mine[0, 0, :, :2]
        torch.testing.assert_close(sides.prod(1).sqrt(), torch.full((3,), smallest * size / 800))
        torch.testing.assert_close(sides[:, 1] / sides[:, 0], torch.tensor([0.5, 1.0, 2.0]))
        first += 3 * level**2


def test_losses_are_those_of_torchvisions_own_forward():
    torch.manual_seed(0)
    detector = Detector((4, 4), 32, 2, 8, 8, 16).train()
    maps = [torch.randn(2, 4, 8, 8), torch.randn(2, 4, 4, 4)]
    things_there = said((square(1, 2, 3), RIGHT, 0), (square(5, 0, 4), RIGHT, 1), size=32)
    targets = [things_there, said((square(1, 1, 3), FAILED, 0), size=32)]
    torch.manual_seed(1)
    mine = detector.losses(maps, targets, functional.binary_cross_entropy_with_logits)
    torch.manual_seed(1)
    parts, images = detector.parts, detector._images(maps)
    features = parts.backbone(maps)
    proposals, theirs = parts.rpn(images, features, targets)
    theirs |= parts.roi_heads(features, proposals, images.image_sizes, targets)[1]
    assert mine.keys() == theirs.keys()
    for name, loss in mine.items():
        torch.testing.assert_close(loss, theirs[name], msg=name)


def test_masks_of_the_robust_set_are_never_farther_than_the_seen_ones():
    losses = {}
    for kind in ("cross-entropy", "robust-set"):
        torch.manual_seed(0)
        method = MaskRCNN("resnet18", 32, TINY, loss=kind, width=8, hidden=16)
        maps = method._maps(torch.rand(2, 3, 32, 32), torch.rand(2, 32, 32))
        torch.manual_seed(1)
        target = said((square(1, 2, 3), RIGHT, 0), (square(5, 0, 4), RIGHT, 1), size=32, mass=False)
        losses[kind] = method.detector.losses(maps, [target, target], method._mask_loss)
    exact, robust = losses["cross-entropy"], losses["robust-set"]
    assert robust["loss_mask"] < exact["loss_mask"]
    assert torch.equal(robust["loss_box_reg"], exact["loss_box_reg"])


def test_the_encoder_sees_depth_unless_that_is_left_out():
    assert MaskRCNN("resnet18", 32, TINY, width=8, hidden=16).encoder.takes_depth
    blind = MaskRCNN("resnet18", 32, TINY, depth=False, width=8, hidden=16)
    assert not blind.encoder.takes_depth
    assert "observation.depth_m" not in blind.needs["experience"].between
    given = MaskRCNN(Encoder("resnet18", 32, options=TINY), width=8, hidden=16)
    assert given.arguments["depth"] is False


def test_it_learns_to_tell_squares(tmp_path):
    recording = Recording(write_experiences(tmp_path / "squares", locations=80, size=48))
    torch.manual_seed(0)
    network = {"encoder": "resnet18", "image_size": 48, "encoder_options": {"channels": [8, 16, 16, 16]}}
    method = MaskRCNN(**network, width=16, hidden=32, regions=32)
    settings = {"optimiser": "adamw", "learning_rate": 3e-3, "schedule": "constant", "warmup_steps": 0}
    pretrain(method, recording, out=tmp_path / "run", steps=45, batch_size=8, **settings)
    tests = np.arange(3, 80, 4)
    images = recording.frames(tests, recording.cameras[0])
    depths_m = recording.stream("observation.depth_m")[tests].astype(np.float32)
    masks = np.kron(recording.stream("attempts.mask")[tests], np.ones((3, 3))) > 0
    told = method.tell(images, depths_m)
    assert len(told) == len(tests)
    best, boxed = [], []
    for each, truth in zip(told, masks, strict=True):
        assert each.masks.shape[1:] == (48, 48)
        assert (np.diff(each.scores) <= 0).all()
        for mask, (row, column), box in zip(each.masks, each.points, each.boxes, strict=True):
            assert mask[row, column] or not mask.any()
            rows, columns = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
            left, top, width, height = box
            # The mask lies in the box, but for the rim that torchvision adds when it pastes it.
            assert not mask.any() or (
                left - 2 <= columns[0] <= columns[-1] <= left + width + 1
                and top - 2 <= rows[0] <= rows[-1] <= top + height + 1
            )
        assert (each.boxes[:, 2:] > 0).all()
        for thing in truth[:2]:
            ious = [(thing & mask).sum() / (thing | mask).sum() for mask in each.masks]
            best.append(max(ious, default=0))
        seen = picture(each.masks, each.scores, each.bins, truth[:2], [0, 0], each.boxes)
        boxed += seen.overlaps("box").max(axis=0, initial=0).tolist()
    assert np.mean(best) > 0.5
    assert np.mean(boxed) > 0.5
    half = method.tell(images[:, ::2, ::2], depths_m[:, ::2, ::2])
    assert half[0].masks.shape[1:] == (24, 24)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"loss": "dice"}, "loss is 'dice'; give cross-entropy or robust-set"),
        ({"overlap": 0.0}, "overlap is 0.0; give a bound above 0, at most 1"),
        ({"width": 0}, "width is 0; it must be at least 1"),
        ({"hidden": 0}, "hidden is 0; it must be at least 1"),
        ({"regions": 0}, "regions is 0; it must be at least 1"),
    ],
)
def test_options_that_cannot_be_are_refused(options, message):
    with pytest.raises(HandsightError, match=f"^{message}$"):
        MaskRCNN("resnet18", 32, TINY, **options)


def test_an_encoder_whose_maps_grow_is_refused():
    with pytest.raises(
        HandsightError, match=r"^unet-interaction ends with maps of .* cells a side; give a net"
    ):
        MaskRCNN("unet-interaction", 75, {"width": 0.1})

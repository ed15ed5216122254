"""The segmenter: what is proposed at a picture's own size, and a folder that brings it back."""

import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from handsight.encoders import Encoder, load_encoder
from handsight.encoders.unet import STRIDE
from handsight.errors import HandsightError
from handsight.methods import learning_to_interact
from handsight.methods.segmenter import Segmenter, load_segmenter
from handsight.objectives import InteractionHeads
from handsight.objectives.maps import nearest
from handsight.objectives.proposals import propose


def make(seed=0, name="unet-interaction", image_size=75, options=None):
    torch.manual_seed(seed)
    encoder = Encoder(name, image_size, options=options or {"width": 0.25})
    segmenter = Segmenter(encoder, InteractionHeads(encoder.tap_shape(encoder.taps[-2])[0], hidden=16))
    with torch.no_grad():  # embeddings that lie apart
        segmenter.heads.detection[2].weight[1:] *= 3
    return segmenter


@pytest.fixture(scope="module")
def segmenter():
    return make()


@pytest.fixture(scope="module")
def sights():
    rng = np.random.default_rng(0)
    return (
        rng.integers(0, 256, (3, 75, 75, 3), dtype=np.uint8),
        rng.uniform(0, 3, (3, 75, 75)).astype(np.float32),
    )


def tensors(sights):
    return [torch.from_numpy(each) for each in sights]


def test_things_are_proposals_three_times_as_large(segmenter, sights):
    found = segmenter.segment(*sights, threshold=-3.0, count=5, batch_size=2)
    images, depth_m = tensors(sights)
    with torch.no_grad():
        segmenter.eval()
        told = segmenter.heads.tell(segmenter.encoder.forward_tap(images, "map", depth_m))
        wanted = propose(*told, count=5, threshold=-3.0)
    assert len(found) == 3
    for things, points, scores, bins, masks, valid in zip(found, *wanted, strict=True):
        assert len(things) == valid.sum() > 1
        large = masks[valid].numpy().repeat(3, axis=1).repeat(3, axis=2)
        np.testing.assert_array_equal(things.masks, large)
        np.testing.assert_allclose(things.scores, scores[valid], rtol=1e-5)
        np.testing.assert_array_equal(things.bins, bins[valid])
        np.testing.assert_array_equal(things.points, 3 * points[valid] + 1)
        assert things.masks[np.arange(len(things)), things.points[:, 0], things.points[:, 1]].all()
        assert things.masks.sum(axis=0).max() == 1


def test_pictures_of_any_size_and_kind(segmenter, sights):
    picture = Image.fromarray(sights[0][0]).resize((120, 90))
    array = np.array(picture)
    (wanted,) = segmenter.segment([array], threshold=-9)
    assert wanted.masks.shape[1:] == (90, 120)
    assert (wanted.points < [90, 120]).all()
    kinds = (
        [picture],
        array[None],
        [torch.from_numpy(array).permute(2, 0, 1)],
        torch.from_numpy(array)[None],
    )
    for kind in kinds:
        (found,) = segmenter.segment(kind, threshold=-9)
        np.testing.assert_array_equal(found.masks, wanted.masks)
    both = segmenter.segment([picture, sights[0][1]], threshold=-9)
    assert [each.masks.shape[1:] for each in both] == [(90, 120), (75, 75)]
    assert segmenter.segment(sights[0][:0]) == []


def test_nothing_is_told_where_nothing_is_sure(segmenter, sights):
    for things in segmenter.segment(*sights, threshold=1e4):
        assert len(things) == 0
        assert things.masks.shape == (0, 75, 75)
        assert things.points.shape == (0, 2)


def test_looking_changes_nothing(segmenter, sights):
    segmenter.train()
    before = {key: value.clone() for key, value in segmenter.state_dict().items()}
    segmenter.segment(*sights)
    found = segmenter.propose(*tensors(sights), 4, threshold=-torch.inf)
    assert found.valid.shape == (3, 4)
    assert segmenter.training
    assert segmenter.encoder.training
    assert all(torch.equal(value, before[key]) for key, value in segmenter.state_dict().items())


def test_where_detection_is_left_alone_only_the_forces_learn(sights):
    segmenter = make().train()
    before = {key: value.clone() for key, value in segmenter.state_dict().items()}
    told = segmenter.tell(*tensors(sights), detection=False)
    assert not told.scores.requires_grad
    assert not told.embeddings.requires_grad
    told.logits.square().sum().backward()
    for name, parameter in segmenter.named_parameters():
        assert (parameter.grad is not None) == name.startswith("heads.force."), name
    assert all(torch.equal(value, before[key]) for key, value in segmenter.state_dict().items())
    assert segmenter.encoder.trunk.training
    alike = segmenter.eval().tell(*tensors(sights))
    for mine, theirs in zip(told, alike, strict=True):
        torch.testing.assert_close(mine, theirs)


def test_all_of_it_learns_otherwise(sights):
    segmenter = make().train()
    told = segmenter.tell(*tensors(sights))
    sum(each.square().sum() for each in told).backward()
    for name, parameter in segmenter.named_parameters():
        assert parameter.grad.abs().sum() > 0, name


def test_encoders_without_depth_see_the_colours(sights):
    segmenter = make(name="resnet18", image_size=64, options={"channels": [4, 4, 8, 8], "stem_width": 4})
    images, depth_m = tensors(sights)
    for mine, theirs in zip(segmenter.eval().tell(images, depth_m), segmenter.tell(images), strict=True):
        assert torch.equal(mine, theirs)
    assert segmenter.tap == "layer4"


def test_what_is_saved_is_what_is_loaded(segmenter, sights, tmp_path):
    segmenter.save(tmp_path / "run")
    state = torch.random.get_rng_state()
    loaded = load_segmenter(tmp_path / "run")
    assert torch.equal(torch.random.get_rng_state(), state)
    assert not loaded.training
    assert all(torch.equal(value, segmenter.state_dict()[key]) for key, value in loaded.state_dict().items())
    for mine, theirs in zip(
        loaded.segment(*sights, threshold=-3), segmenter.segment(*sights, threshold=-3), strict=True
    ):
        np.testing.assert_array_equal(mine.masks, theirs.masks)
        np.testing.assert_array_equal(mine.scores, theirs.scores)
    images, depth_m = sights
    wanted = segmenter.encoder.embed(images, depth_m=depth_m)
    assert torch.equal(load_encoder(tmp_path / "run").embed(images, depth_m=depth_m), wanted)
    assert load_segmenter(tmp_path / "run" / "encoder").heads.hidden == 16
    make(seed=1).save(tmp_path / "run")  # over what is there
    assert load_segmenter(tmp_path / "run").heads.channels == 16


def test_a_segmenter_is_not_put_on_an_encoder_that_crops():
    encoder = Encoder("unet-interaction", 75, options={"width": 0.25}, fit="crop")
    with pytest.raises(HandsightError, match="fit 'crop', which sees a part of a picture; train one with"):
        Segmenter(encoder, InteractionHeads(16))


DAMAGE = {
    "no heads": (lambda run: (run / "heads.json").unlink(), "holds no heads.json: .* learning-to-interact"),
    "no weights": (
        lambda run: (run / "heads.safetensors").unlink(),
        "has no heads.safetensors; copy or save",
    ),
    "cut off": (
        lambda run: (run / "heads.safetensors").write_bytes((run / "heads.safetensors").read_bytes()[:-9]),
        "heads.safetensors is cut off or damaged",
    ),
    "no JSON": (lambda run: (run / "heads.json").write_text("{"), "heads.json cannot be read"),
    "another kind": (lambda run: (run / "heads.json").write_text("[1]"), "describes no heads that this"),
    "a later version": (
        lambda run: (run / "heads.json").write_text(
            json.dumps(json.loads((run / "heads.json").read_text()) | {"format_version": 2})
        ),
        "describes no heads that this Handsight reads; .* update Handsight",
    ),
    "other heads": (
        lambda run: (run / "heads.json").write_text(
            json.dumps(json.loads((run / "heads.json").read_text()) | {"hidden": 8}, sort_keys=True)
        ),
        "are not of the same heads",
    ),
    "another encoder": (
        lambda run: make(seed=5).encoder.save(run / "encoder"),
        "was trained with another encoder",
    ),
    "no encoder": (lambda run: shutil.rmtree(run / "encoder"), "holds no encoder.json"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_folder_is_refused_in_one_line(segmenter, damage, tmp_path):
    do, message = DAMAGE[damage]
    segmenter.save(tmp_path / "run")
    do(tmp_path / "run")
    with pytest.raises(HandsightError, match=message) as caught:
        load_segmenter(tmp_path / "run")
    assert "\n" not in str(caught.value)


def test_a_folder_that_cannot_be_written_is_said(segmenter, tmp_path):
    (tmp_path / "run").write_text("a file")
    with pytest.raises(HandsightError, match="cannot be saved in"):
        segmenter.save(tmp_path / "run")
    (tmp_path / "other" / "heads.json").mkdir(parents=True)
    with pytest.raises(HandsightError, match=r"the heads cannot be saved in .*other: \w"):
        segmenter.save(tmp_path / "other")


@pytest.mark.parametrize("size", [75, 128, 224, 300])
def test_points_lie_on_what_they_moved_at_any_size_of_input_mirrored_or_not(size):
    recorded = 25
    cells = torch.cartesian_prod(torch.arange(recorded), torch.arange(recorded))
    points = ((cells.flip(-1) + 0.5) / recorded)[None]
    masks = torch.zeros(len(cells), recorded, recorded)
    masks[torch.arange(len(cells)), *cells.T] = 1
    grid = size // STRIDE
    for mirrored in (False, True):
        if mirrored:
            points, masks = torch.stack([1 - points[..., 0], points[..., 1]], -1), masks.flip(-1)
        rows, columns = learning_to_interact._cells(points, grid)[0].T
        assert (nearest(masks[None], grid)[0][torch.arange(len(cells)), rows, columns] == 1).all()

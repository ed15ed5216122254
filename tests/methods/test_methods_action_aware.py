"""Action-aware SSL: its parts, its control, and what mirroring does to its labels."""

import numpy as np
import pytest
import torch

from handsight.augmentation import Augmentation
from handsight.errors import HandsightError
from handsight.methods import METHODS, ActionAware
from handsight.objectives import nt_xent
from handsight.recordings import Clips, Recording, Sampler, Writer, camera
from handsight.recordings.features import Feature
from handsight.training.batches import Batches

CPU = torch.device("cpu")


def make(tiny_network, seed=0, **options) -> ActionAware:
    torch.manual_seed(seed)
    return ActionAware(**tiny_network, **options)


def prepared(method, recordings, batch_size=12):
    sampler = Sampler(Clips(recordings, size=16), method.needs, batch_size, seed=0)
    torch.manual_seed(1)
    method.prepare(sampler)
    return sampler


def draw(method, sampler, step=0, part=0, parts=1):
    batches = Batches(sampler, method, 0, CPU)
    drawn = batches.get(step, part, parts, None)
    batches.close()
    return drawn


def losses(method, drawn):
    (group,) = method.losses(drawn)
    return {name: loss.item() for name, loss in group.items()}


def test_losses_are_nt_xent_of_their_parts(tiny_network, shapes):
    method = make(tiny_network, temperature=0.2, visual_weight=0.5, action_weight=2.0)
    drawn = draw(method, prepared(method, [shapes]))
    batch = drawn["pair"]
    found = losses(method, drawn)
    first, second = (method.encoder(batch["views"][:, frame]) for frame in (0, 1))
    visual = nt_xent(method.visual.projector(first), method.visual.projector(second), 0.2)
    pair = method.pair_head.projector(torch.cat([first, second], dim=1))
    # Sines and cosines are used as they are.
    action = nt_xent(method.action_head(batch["action"]), pair, 0.2)
    assert found == pytest.approx({"contrast": 0.5 * visual.item(), "action": 2.0 * action.item()})


def test_difference_gives_the_pair_head_second_less_first(tiny_network, shapes):
    method = make(tiny_network, combine="difference")
    drawn = draw(method, prepared(method, [shapes]))
    batch = drawn["pair"]
    first, second = (method.encoder(batch["views"][:, frame]) for frame in (0, 1))
    assert method.pair_head.projector[0].in_features == method.encoder.embedding_size
    action = nt_xent(method.action_head(batch["action"]), method.pair_head.projector(second - first), 0.1)
    assert losses(method, drawn)["action"] == pytest.approx(action.item())
    with pytest.raises(HandsightError, match="combine is 'sum'; it can be one of concatenate, difference"):
        make(tiny_network, combine="sum")


def test_shuffling_changes_the_action_loss_alone(tiny_network, shapes):
    plain, shuffled = make(tiny_network), make(tiny_network, shuffle_actions=True)
    sampler, _ = prepared(plain, [shapes]), prepared(shuffled, [shapes])
    drawn = draw(plain, sampler)
    one, other = losses(plain, drawn), losses(shuffled, drawn)
    assert one["contrast"] == other["contrast"]
    assert one["action"] != other["action"]
    # Given back its own actions in advance, the control is the method.
    batch = drawn["pair"]
    unrolled = {"pair": {**batch, "action": batch["action"].roll(-1, dims=0)}}
    assert losses(shuffled, unrolled)["action"] == pytest.approx(one["action"])


def test_without_action_weight_it_is_simclr_through_time(tiny_network, shapes):
    torch.manual_seed(0)
    visual = METHODS["simclr-tt"](**tiny_network)
    method = make(tiny_network, action_weight=0.0)
    drawn = draw(method, prepared(method, [shapes]))
    (alone,) = visual.losses(drawn)
    found = losses(method, drawn)
    assert found["contrast"] == pytest.approx(alone["contrast"].item())
    assert found["action"] == 0


def test_actions_are_scaled_by_training_pairs_and_constant_ones_dropped_aloud(tiny_network, shapes):
    method = make(tiny_network, stream="observation.state")
    with pytest.warns(UserWarning, match=r"action number 2 \('still'\) never changes in the training set"):
        sampler = prepared(method, [shapes])
    samples = sampler.between_samples("pair", "observation.state")
    normalised = method.actions({"observation.state": samples})
    assert normalised.shape[1] == method.action_head[0].in_features == 2
    np.testing.assert_allclose(normalised.mean(0), 0, atol=1e-4)
    np.testing.assert_allclose(normalised.std(0, correction=0), 1, atol=1e-4)
    assert np.isfinite(losses(method, draw(method, sampler))["action"])


def test_several_streams_are_one_action_each_with_its_own_kind(tiny_network, shapes):
    streams = ("observation.state", "action")
    method = make(tiny_network, stream=streams, action_limit=0.5)
    with pytest.warns(UserWarning, match=r"action number 2 \('observation.state still'\) never changes"):
        sampler = prepared(method, [shapes])
    batch = sampler.batch("pair", 0)
    samples = sampler.between_samples("pair", "observation.state")[:, :2].clamp(-0.5, 0.5)
    clipped = batch["observation.state"][:, :2].clamp(-0.5, 0.5)
    expected = [(clipped - samples.mean(0)) / samples.std(0, correction=0), batch["action"]]
    torch.testing.assert_close(method.actions(batch), torch.cat(expected, dim=1), atol=1e-4, rtol=1e-4)
    assert method.action_head[0].in_features == method.actions.size == 4
    assert np.isfinite(losses(method, draw(method, sampler))["action"])
    with pytest.raises(HandsightError, match="the action's streams are action, action; name at least one"):
        make(tiny_network, stream=("action", "action"))
    with pytest.raises(HandsightError, match="the action's limit is 0; it must be above zero"):
        make(tiny_network, action_limit=0)


def test_the_first_frames_own_value_can_be_part_of_the_action(tiny_network, shapes):
    method = make(tiny_network, stream="observation.state", between="first")
    with pytest.warns(UserWarning, match="never changes"):
        sampler = prepared(method, [shapes])
    batch = sampler.batch("pair", 0)
    values = shapes.stream("observation.state")[batch["frame_index"][:, 0].numpy()]
    np.testing.assert_array_equal(batch["observation.state"], values)


def test_between_can_be_said(tiny_network, shapes):
    method = make(tiny_network, between="sum")
    sampler = prepared(method, [shapes])
    batch = sampler.batch("pair", 0)
    angles = shapes.stream("action")[:, 0].astype(float)
    sums = np.concatenate([[0], np.cumsum(angles)])
    first, second = batch["frame_index"].numpy().T
    np.testing.assert_allclose(batch["action"][:, 0], sums[second] - sums[first], atol=1e-3)


FLIPS = Augmentation(
    size=16,
    crop_scale=(1.0, 1.0),
    crop_ratio=(1.0, 1.0),
    jitter_probability=0,
    grey_probability=0,
    flip_probability=0.5,
)


def test_a_sample_is_mirrored_whole_and_its_label_with_it(tiny_network, shapes):
    method = make(tiny_network, augmentation=FLIPS)
    sampler = prepared(method, [shapes], batch_size=24)
    batch, plain = draw(method, sampler)["pair"], sampler.batch("pair", 0)
    still = make(tiny_network, augmentation=Augmentation(**{**vars(FLIPS), "flip_probability": 0.0}))
    unflipped = draw(still, sampler)["pair"]["views"]
    views, mirrored = batch["views"], []
    for sample in range(24):
        straight = (views[sample] - unflipped[sample]).abs().amax((1, 2, 3)) < 1e-5
        flipped = (views[sample] - unflipped[sample].flip(-1)).abs().amax((1, 2, 3)) < 1e-5
        assert straight.all() or flipped.all()
        assert not (straight.any() and flipped.any())
        mirrored.append(bool(flipped.all()))
    assert 4 < sum(mirrored) < 20
    sign = torch.where(torch.tensor(mirrored), -1.0, 1.0)
    torch.testing.assert_close(batch["action"][:, 0], plain["action"][:, 0] * sign)
    torch.testing.assert_close(batch["action"][:, 1], plain["action"][:, 1])


@pytest.mark.parametrize("parts", [2, 3])
def test_slices_are_mirrored_as_the_whole_batch(tiny_network, shapes, parts):
    method = make(tiny_network, augmentation=Augmentation(size=16, flip_probability=0.5))
    sampler = prepared(method, [shapes])
    whole = draw(method, sampler, step=3)["pair"]
    slices = [draw(method, sampler, 3, part, parts)["pair"] for part in range(parts)]
    for key in ("views", "action", "frame_index"):
        torch.testing.assert_close(torch.cat([piece[key] for piece in slices]), whole[key])


def test_mirroring_an_undeclared_stream_is_refused(tiny_network, shapes, tmp_path):
    from handsight.training import Training, prepare

    features = {"observation.images.c": camera(16, 16), "action": Feature("float32", (1,))}
    with Writer(tmp_path / "r", features, fps=10) as writer:
        frames = np.zeros((4, 16, 16, 3), np.uint8)
        writer.add_episode(
            {"observation.images.c": frames, "action": np.arange(4, dtype=np.float32)[:, None]}
        )
    recording = Recording(tmp_path / "r")
    training = Training(split="all", batch_size=4, steps=1)
    with pytest.raises(
        HandsightError, match="stream 'action' does not declare what mirroring the picture does"
    ):
        prepare(make(tiny_network, augmentation=FLIPS), recording, training)
    assert prepare(make(tiny_network), recording, training).steps == 1

"""Encoders measured on a robot's episodes."""

import numpy as np
import pytest
import torch

from handsight.encoders import Encoder
from handsight.errors import HandsightError
from handsight.recordings import Clips, Feature, Recording, Writer, camera
from handsight.studies.robot import measure_robot

EPISODES, FRAMES, SIZE = 4, 40, 16


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A dot that an arm with two joints moves over the picture, seen by two cameras."""
    path = tmp_path_factory.mktemp("robot") / "arm"
    features = {
        "observation.images.front": camera(SIZE, SIZE),
        "observation.images.side": camera(SIZE, SIZE),
        "action": Feature("float32", (2,), ("x", "y"), between="difference"),
        "observation.state": Feature("float32", (2,)),
        "pose": Feature("float32", (4,), between="relative_rotation"),
    }
    generator = np.random.default_rng(0)
    with Writer(path, features, fps=10) as writer:
        for _ in range(EPISODES):
            place = np.clip(np.cumsum(generator.normal(0, 0.8, (FRAMES, 2)), axis=0) + 8, 2, 13)
            y, x = np.mgrid[:SIZE, :SIZE]
            away = np.hypot(x - place[:, :1, None], y - place[:, 1:, None])
            picture = (255 * np.exp(-((away / 2) ** 2))).astype(np.uint8)[..., None].repeat(3, axis=3)
            writer.add_episode(
                {
                    "observation.images.front": picture,
                    "observation.images.side": picture[:, :, ::-1],
                    "action": place.astype(np.float32),
                    "observation.state": np.roll(place, 1, axis=0).astype(np.float32),
                    "pose": np.tile(np.float32([1, 0, 0, 0]), (FRAMES, 1)),
                }
            )
    return path


@pytest.fixture
def encoder(tiny_network):
    torch.manual_seed(0)
    return Encoder("resnet18", SIZE, options=tiny_network["encoder_options"])


def test_both_probes_stand_beside_random_and_controls(folder, encoder):
    recording = Recording(folder)
    found = measure_robot({"mine": encoder}, recording, compare=[("mine", "random")])
    assert list(found) == ["inverse dynamics", "behaviour cloning"]
    for probe in found.values():
        table = probe.table
        assert {"random", "mine"} < set(table.rows)
        assert {(d.first, d.second) for d in table.differences} == {("mine", "random")}
    again = measure_robot({"mine": encoder}, recording, compare=[("mine", "random")])
    assert again["inverse dynamics"].table == found["inverse dynamics"].table


def test_cameras_embeddings_stand_side_by_side(folder, encoder):
    from handsight.studies import robot

    recording, rows = Recording(folder), np.array([3, 50, 159])
    features = robot._embed(encoder, recording, rows)
    assert features.shape == (EPISODES * FRAMES, 2 * encoder.embedding_size)
    for which, name in enumerate(("observation.images.front", "observation.images.side")):
        frames = recording.frames(rows, name)
        wanted = encoder.embed(torch.from_numpy(frames).permute(0, 3, 1, 2)).numpy()
        part = features[rows, which * encoder.embedding_size :][:, : encoder.embedding_size]
        np.testing.assert_allclose(part, wanted, atol=1e-5)
    assert not np.delete(features, rows, axis=0).any()


def test_splits_do_not_hide_episodes(folder):
    assert Clips([Recording(folder)], split=None, size=SIZE).num_clips == 2 * EPISODES


def test_streams_that_cannot_be_probed_are_refused(folder, encoder, shapes):
    with pytest.raises(
        HandsightError,
        match=r"has no stream 'torque' \(it has: .*action.*\)\. Say which to use: --action NAME",
    ):
        measure_robot({"mine": encoder}, Recording(folder), stream="torque")
    with pytest.raises(HandsightError, match="stream 'pose' is a relative_rotation; the robot probes take"):
        measure_robot({"mine": encoder}, Recording(folder), stream="pose")
    with pytest.raises(
        HandsightError, match="0 episodes are longer than 1 s; expected at least 3: record more"
    ):
        measure_robot({"mine": encoder}, shapes, stream="observation.state")

import numpy as np
import pytest

from handsight.errors import HandsightError
from handsight.recordings import Feature, Recording, Writer, camera
from handsight.worlds.encoding import EncodedEpisode, make_encoded, write
from handsight.worlds.world import Episode


class Noise:
    """Noise as seen by one camera, and one number a frame."""

    name, fps, facts = "noise", 5, {"seed": "int64"}

    def __init__(self, video=False, dtype=np.float32):
        self.features = {
            "observation.images.eye": camera(24, 32, video),
            "action": Feature("float32", (2,), ("x", "y")),
        }
        self._dtype = dtype

    def episode(self, seed, index):
        rng = np.random.default_rng([seed, index])
        frames = {
            "observation.images.eye": rng.integers(0, 256, (4, 24, 32, 3), np.uint8),
            "action": rng.normal(size=(4, 2)).astype(self._dtype),
        }
        return Episode(frames, {"seed": seed}, "look")


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def recorded(folder, episodes):
    world = Noise()
    with Writer(folder, world.features, world.fps, facts=world.facts) as writer:
        for made in episodes:
            write(writer, made)
    return folder


def test_encoded_before_or_not_the_same_files_come_of_it(tmp_path):
    encoded = [make_encoded(Noise(), 1, index) for index in range(3)]
    assert all(isinstance(made, EncodedEpisode) for made in encoded)
    before = recorded(tmp_path / "before", encoded)
    after = recorded(tmp_path / "after", [Noise().episode(1, index) for index in range(3)])
    assert contents(before) == contents(after)


def test_pictures_come_back_as_they_were_made(tmp_path):
    recording = Recording(recorded(tmp_path / "recording", [make_encoded(Noise(), 1, 0)]))
    expected = Noise().episode(1, 0).frames["observation.images.eye"]
    np.testing.assert_array_equal(recording.frames(np.arange(4), "observation.images.eye"), expected)


def test_an_episode_with_a_video_is_left_to_the_writer():
    assert isinstance(make_encoded(Noise(video=True), 1, 0), Episode)


def test_a_stream_that_is_not_as_declared_is_refused_where_it_was_made():
    with pytest.raises(HandsightError, match="stream 'action', frame 0: complex64"):
        make_encoded(Noise(dtype=np.complex64), 1, 0)

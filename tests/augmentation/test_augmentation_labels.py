from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from handsight.augmentation import Augmentation, check_moves, move_labels
from handsight.augmentation.labels import MOVES
from handsight.errors import HandsightError
from handsight.recordings.features import Moves

HEIGHT, WIDTH, SIZE = 48, 64, 64
MIRROR = np.diag([-1.0, 1.0, 1.0])


def drawn(count=8, flip=0.5, seed=0):
    augmentation = Augmentation(SIZE, jitter_probability=0, grey_probability=0, flip_probability=flip)
    return augmentation, augmentation.draw(torch.Generator().manual_seed(seed), count, HEIGHT, WIDTH)


def mirrored(count=1, flip=True):
    """Parameters that take the whole picture and mirror all of it, or none."""
    augmentation = Augmentation(
        SIZE, (1.0, 1.0), (WIDTH / HEIGHT, WIDTH / HEIGHT), flip_probability=float(flip)
    )
    return augmentation.draw(torch.Generator().manual_seed(0), count, HEIGHT, WIDTH)


def test_every_declaration_of_a_recording_is_understood():
    assert get_args(Moves) == MOVES


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 10**6))
def test_a_bright_spot_moves_with_its_point(seed):
    augmentation, parameters = drawn(seed=seed)
    generator = torch.Generator().manual_seed(seed)
    row, column = (torch.randint(0, size, (8,), generator=generator) for size in (HEIGHT, WIDTH))
    images = torch.zeros(8, 3, HEIGHT, WIDTH)
    images[torch.arange(8), :, row, column] = 1.0
    point = torch.stack([(column + 0.5) / WIDTH, (row + 0.5) / HEIGHT], dim=1)
    moved, inside = move_labels({"spot": point}, {"spot": "point"}, parameters)

    pixels = augmentation(images, parameters)[:, 0]
    middle = (torch.arange(SIZE) + 0.5) / SIZE
    for index in range(8):
        weight = pixels[index]
        # The spot is seen where its pixel lies in the box, which is where its middle does.
        assert bool(inside["spot"][index]) == (weight.sum() > 0)
        # Near the picture's edge its light is cut off, and its centre of gravity shifts.
        x, y = moved["spot"][index]
        if inside["spot"][index] and 0.05 < x < 0.95 and 0.05 < y < 0.95:
            seen = (
                torch.stack([(weight.sum(0) * middle).sum(), (weight.sum(1) * middle).sum()]) / weight.sum()
            )
            torch.testing.assert_close(seen, moved["spot"][index], atol=0.005, rtol=0)


def test_points_by_hand():
    _, parameters = drawn(2)
    parameters = replace(
        parameters, crop=torch.tensor([[12, 16, 24, 32]] * 2), flip=torch.tensor([False, True])
    )
    # The box covers x and y from 0.25 to 0.75.
    points = torch.tensor([[[0.5, 0.5], [0.25, 0.375], [0.1, 0.5]]]).repeat(2, 1, 1)
    moved, inside = move_labels({"p": points}, {"p": "point"}, parameters)
    assert moved["p"].tolist() == [
        [[0.5, 0.5], [0.0, 0.25], [pytest.approx(-0.3), 0.5]],
        [[0.5, 0.5], [1.0, 0.25], [pytest.approx(1.3), 0.5]],
    ]
    assert inside["p"].tolist() == [[True, True, False]] * 2


def test_a_step_of_a_point_is_the_difference_of_the_moved_points():
    _, parameters = drawn()
    first, second = torch.rand(2, 8, 2, generator=torch.Generator().manual_seed(1))
    streams = {"first": first, "second": second, "step": second - first}
    moved = move_labels(
        streams, dict.fromkeys(streams, "point"), parameters, between={"step": "difference"}
    ).streams
    torch.testing.assert_close(moved["step"], moved["second"] - moved["first"])


def test_angles_are_those_of_the_mirrored_geometry():
    # A hand at an angle from straight up, seen from the front: mirrored, it stands at the angle's opposite.
    angle = torch.linspace(-3, 3, 8)[:, None]
    hand = torch.cat([angle.sin(), angle.cos()], dim=1) * torch.tensor([-1.0, 1.0])
    parameters = mirrored(8)
    streams = {"angle": angle, "turned": torch.cat([angle.sin(), angle.cos()], dim=1)}
    moved = move_labels(
        streams, dict.fromkeys(streams, "angle"), parameters, between={"turned": "angle"}
    ).streams
    torch.testing.assert_close(torch.atan2(hand[:, :1], hand[:, 1:]), moved["angle"])
    torch.testing.assert_close(hand, moved["turned"])


def test_sines_of_several_angles_change_sign_together():
    values = torch.tensor([[0.1, 0.2, 0.3, 0.7, 0.8, 0.9]])
    moved = move_labels({"a": values}, {"a": "angle"}, mirrored(), between={"a": "angle"}).streams["a"]
    torch.testing.assert_close(moved, torch.tensor([[-0.1, -0.2, -0.3, 0.7, 0.8, 0.9]]))


def test_rotations_are_those_of_the_mirrored_geometry():
    first, second = Rotation.random(8, rng=0), Rotation.random(8, rng=1)
    relative = first.inv() * second
    streams = {
        name: torch.from_numpy(rotation.as_quat(scalar_first=True))
        for name, rotation in {"first": first, "second": second, "relative": relative}.items()
    }
    moved = move_labels(
        streams, dict.fromkeys(streams, "rotation"), mirrored(8), between={"relative": "relative_rotation"}
    ).streams
    for name, rotation in {"first": first, "second": second, "relative": relative}.items():
        seen = Rotation.from_quat(moved[name].numpy(), scalar_first=True).as_matrix()
        np.testing.assert_allclose(seen, MIRROR @ rotation.as_matrix() @ MIRROR, atol=1e-12)


def test_sides_swap_by_name():
    names = {"arm": ["left_wrist", "head", "right_wrist"]}
    values = torch.tensor([[1.0, 2.0, 3.0]])
    moved = move_labels({"arm": values}, {"arm": "sides"}, mirrored(), names).streams["arm"]
    assert moved.tolist() == [[3.0, 2.0, 1.0]]
    stacked = torch.tensor([[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]])
    moved = move_labels({"arm": stacked}, {"arm": "sides"}, mirrored(), names, {"arm": "stack"}).streams[
        "arm"
    ]
    assert moved.tolist() == [[3.0, 2.0, 1.0, 6.0, 5.0, 4.0]]


@pytest.mark.parametrize("kind", ["point", "angle", "rotation", "sides"])
def test_mirroring_twice_changes_nothing(kind):
    values = torch.rand(8, 2 if kind == "point" else 4, generator=torch.Generator().manual_seed(0))
    names = {"s": ["left_a", "right_a", "left_b", "right_b"]}
    once = move_labels({"s": values}, {"s": kind}, mirrored(8), names).streams
    assert not torch.allclose(once["s"], values)
    torch.testing.assert_close(move_labels(once, {"s": kind}, mirrored(8), names).streams["s"], values)


@pytest.mark.parametrize("kind", ["nothing", "angle", "rotation", "sides", None])
def test_crops_change_only_points_and_maps(kind):
    _, parameters = drawn(flip=0.0)
    values = torch.rand(8, 3, 4, generator=torch.Generator().manual_seed(0))
    moved, inside = move_labels({"s": values}, {"s": kind}, parameters, {"s": ["a", "b", "c", "d"]})
    if kind == "sides":
        assert inside == {}
    assert torch.equal(moved["s"], values)
    assert inside == {}


def test_a_map_moves_as_its_picture_does():
    pictures = torch.randint(0, 255, (16, 3, SIZE, SIZE), generator=torch.Generator().manual_seed(1)).byte()
    augmentation = Augmentation(
        size=SIZE, crop_scale=(1.0, 1.0), crop_ratio=(1.0, 1.0), jitter_probability=0.0, grey_probability=0.0,
        flip_probability=0.5,
    )  # fmt: skip
    parameters = augmentation.draw(torch.Generator().manual_seed(2), 16, SIZE, SIZE)
    assert 0 < int(parameters.flip.sum()) < 16
    moved = move_labels({"m": pictures.float()}, {"m": "map"}, parameters).streams["m"]
    torch.testing.assert_close(moved / 255, augmentation(pictures, parameters))


def test_a_cropped_map_holds_what_lies_in_the_crop():
    rows, columns = torch.meshgrid(torch.arange(8.0), torch.arange(8.0), indexing="ij")
    maps = torch.stack([rows, columns])[None]
    _, parameters = drawn(1)
    crop = torch.tensor([[HEIGHT // 4, WIDTH // 2, HEIGHT // 2, WIDTH // 2]])  # top, left, height, width
    parameters = replace(parameters, crop=crop, flip=torch.tensor([True]))
    moved = move_labels({"m": maps}, {"m": "map"}, parameters).streams["m"][0]
    assert moved[0, :, 0].tolist() == [2, 2, 3, 3, 4, 4, 5, 5]
    assert moved[1, 0].tolist() == [7, 7, 6, 6, 5, 5, 4, 4]


def test_only_mirrored_images_labels_change():
    _, parameters = drawn(64)
    angle = torch.ones(64, 1)
    moved = move_labels({"a": angle}, {"a": "angle"}, parameters).streams["a"]
    assert torch.equal(moved[:, 0] < 0, parameters.flip)
    assert torch.equal(angle, torch.ones(64, 1))


@pytest.mark.parametrize(
    ("kind", "size", "names", "message"),
    [
        (
            None,
            3,
            None,
            "'arm' does not declare what mirroring .* one of nothing, point, .* set flip_probability to 0",
        ),
        (
            "spin",
            3,
            None,
            "'arm' declares moves 'spin'; it can be one of nothing, point, angle, rotation, sides",
        ),
        ("sides", 3, None, "'arm' declares moves 'sides' but has no names"),
        ("sides", 2, ["left_a", "right_b"], "its entry 'left_a' has no partner 'right_a'"),
        ("sides", 2, ["a", "b"], "none of its names holds left or right; declare 'nothing'"),
        ("sides", 3, ["left", "right"], "'arm' has 3 entries but 2 names"),
        ("point", 3, None, "'arm' moves as a point but has 3 entries"),
        ("rotation", 3, None, "'arm' moves as a rotation but has 3 entries"),
    ],
)
def test_refuses_what_it_cannot_move(kind, size, names, message):
    with pytest.raises(HandsightError, match=message):
        move_labels(
            {"arm": torch.ones(8, size)}, {"arm": kind}, drawn()[1], {"arm": names} if names else None
        )


def test_refuses_odd_sines_and_cosines_and_wrong_rows():
    with pytest.raises(HandsightError, match="as an angle but has 3 entries"):
        move_labels({"a": torch.ones(1, 3)}, {"a": "angle"}, mirrored(), between={"a": "angle"})
    with pytest.raises(HandsightError, match=r"'a' has shape \[3, 1\] for 8 images"):
        move_labels({"a": torch.ones(3, 1)}, {"a": "angle"}, drawn()[1])


def test_an_undeclared_stream_is_refused_even_when_this_batch_was_not_mirrored():
    _, parameters = drawn(64)
    spared = parameters.select(~parameters.flip)
    with pytest.raises(HandsightError, match="'arm' does not declare"):
        move_labels({"arm": torch.ones(len(spared), 3)}, {}, spared)


def test_an_undeclared_stream_is_accepted_where_pictures_are_only_cropped():
    check_moves({"arm": None}, may_flip=False)
    with pytest.raises(HandsightError, match="'arm' does not declare"):
        check_moves({"arm": None}, may_flip=True)

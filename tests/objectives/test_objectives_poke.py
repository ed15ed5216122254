"""Poke: the line through a tactile trace, and the head that tells it."""

import numpy as np
import pytest
import torch

from handsight.errors import HandsightError
from handsight.objectives import PokeHead
from handsight.objectives.poke import fit_line


def traces(count=6, samples=40, seed=0):
    generator = np.random.default_rng(seed)
    depth_m = np.sort(generator.uniform(0, 0.03, (count, samples)), axis=1)
    slope, intercept = generator.uniform(5, 500, (count, 1)), generator.uniform(0, 2, (count, 1))
    return depth_m, intercept + slope * depth_m + 0.1 * generator.standard_normal((count, samples))


def test_layers_are_the_papers():
    with torch.device("meta"):
        head = PokeHead((4096,))
    assert [tuple(each.shape) for each in head.parameters() if each.ndim > 1] == [(512, 4096), (2, 512)]
    assert sum(each.numel() for each in head.parameters()) == 512 * 4097 + 2 * 513
    assert head(torch.empty(3, 4096, device="meta")).shape == (3, 2)


def test_the_head_sees_a_map_pixel_by_pixel():
    torch.manual_seed(0)
    head = PokeHead((3, 2, 4), out=3, width=1 / 64)
    maps = torch.randn(5, 3, 2, 4, generator=torch.Generator().manual_seed(0))
    inner, inner_shift, outer, outer_shift = head.parameters()
    hidden = (maps.reshape(5, 24) @ inner.T + inner_shift).relu()
    torch.testing.assert_close(head(maps), hidden @ outer.T + outer_shift)
    last = maps.contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(head(last), head(maps))


def test_lines_are_numpys():
    depth_m, reading = traces()
    wanted = [np.polyfit(x, y, 1) for x, y in zip(depth_m, reading, strict=True)]
    found = fit_line(torch.from_numpy(depth_m), torch.from_numpy(reading))
    assert found.dtype == torch.float64
    np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-8)
    single = fit_line(torch.from_numpy(depth_m).float(), torch.from_numpy(reading).float())
    np.testing.assert_allclose(single.numpy(), wanted, rtol=1e-4)


def test_samples_that_do_not_count_change_nothing():
    depth_m, reading = map(torch.from_numpy, traces())
    valid = torch.rand(depth_m.shape, generator=torch.Generator().manual_seed(1)) < 0.5
    found = fit_line(depth_m.masked_fill(~valid, float("nan")), reading.masked_fill(~valid, 1e9), valid)
    for row in range(len(depth_m)):
        kept = valid[row]
        wanted = np.polyfit(depth_m[row, kept].numpy(), reading[row, kept].numpy(), 1)
        np.testing.assert_allclose(found[row].numpy(), wanted, rtol=1e-8)


def test_lines_move_with_depths_and_readings():
    depth_m, reading = map(torch.from_numpy, traces())
    slope, intercept = fit_line(depth_m, reading).unbind(-1)
    for found, wanted in (
        (fit_line(depth_m + 0.5, reading), (slope, intercept - 0.5 * slope)),
        (fit_line(depth_m, 3 * reading + 1), (3 * slope, 3 * intercept + 1)),
        (fit_line(1000 * depth_m, reading), (slope / 1000, intercept)),  # as if in millimetres
        (fit_line(depth_m.flip(-1), reading.flip(-1)), (slope, intercept)),
        (fit_line(depth_m.repeat(1, 2), reading.repeat(1, 2)), (slope, intercept)),
        (fit_line(depth_m + 1e4, reading), (slope, intercept - 1e4 * slope)),  # sums would cancel
    ):
        torch.testing.assert_close(found, torch.stack(wanted, dim=-1), rtol=1e-5, atol=1e-8)


def test_any_leading_axes_and_two_samples_are_enough():
    depth_m, reading = torch.tensor([0.0, 0.01]), torch.tensor([1.0, 3.0])
    torch.testing.assert_close(fit_line(depth_m, reading), torch.tensor([200.0, 1.0], dtype=torch.float64))
    several = fit_line(depth_m.expand(2, 3, 2), reading.expand(2, 3, 2))
    torch.testing.assert_close(several, fit_line(depth_m, reading).expand(2, 3, 2))
    assert fit_line(torch.zeros(0, 4), torch.zeros(0, 4)).shape == (0, 2)


@pytest.mark.parametrize(
    ("depth_m", "reading", "valid", "message"),
    [
        (
            [[0, 1.0]],
            [[0, 1.0, 2]],
            None,
            r"depths \[1, 2\], readings \[1, 3\] and .* \[1, 2\]; give all in one",
        ),
        ([0, 1.0], [0, 1.0], [True], r"count \[1\]; give all in one shape"),
        (0.0, 1.0, None, r"depths \[\]"),
        ([0, 1.0, float("nan")], [0, 1.0, 2], None, "not finite; mark those samples as not valid"),
        ([0, 1.0, 2], [0, float("inf"), 2], None, "not finite"),
        ([[0, 1.0], [0.3, 0.3]], [[0, 1.0], [0, 1.0]], None, "trace 1 has samples at fewer than two depths"),
        ([[0.1, 0.2, 0.3]], [[0, 1.0, 2]], [[False, True, False]], "trace 0 has samples at fewer than two"),
        (
            [[0.1, 0.2]],
            [[0, 1.0]],
            [[False, False]],
            "fewer than two depths, which leaves no line; leave it out",
        ),
        ([[]], [[]], None, "trace 0 has samples at fewer than two depths"),
    ],
)
def test_what_has_no_line_is_refused_in_one_line(depth_m, reading, valid, message):
    with pytest.raises(HandsightError, match=message) as caught:
        fit_line(torch.tensor(depth_m), torch.tensor(reading), None if valid is None else torch.tensor(valid))
    assert "\n" not in str(caught.value)

"""`handsight segment`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from handsight.commands.parsing import Parser, Runner, existing, from_function
from handsight.errors import HandsightError
from handsight.sources.pictures import read_picture


def segment(parser: Parser, arguments: Sequence[str]) -> Runner:
    """Add the options of `segment`."""
    return from_function(parser, segment_run)


def segment_run(
    image: Path,
    encoder: Path,
    depth: Path | None = None,
    depth_scale: float | None = None,
    threshold: float = 0.5,
    out: Path | None = None,
) -> None:
    """Tell the things in a picture: their masks, how heavy each is, and where to touch it.

    Args:
        image: a picture; of 16 bits the upper eight are seen.
        encoder: run of learning-to-interact, or the folder that it was copied to.
        depth: how far away each pixel is: `.npy` in metres, or a picture of whole numbers with
            `--depth-scale`; default: none, which an encoder that takes depth sees as zeros.
        depth_scale: metres to a unit of that picture, as in 0.001.
        threshold: least score of a thing, between 0 and 1: how likely touching it moves something.
        out: PNG or JPEG to draw them into; default: beside the picture.
    """
    from handsight.evaluation.detection import MASS_CLASSES
    from handsight.evaluation.drawing import draw_things, side_by_side
    from handsight.methods.segmenter import load_segmenter

    if not 0 < threshold < 1:
        raise HandsightError(f"threshold is {threshold:g}; give a score between 0 and 1")
    if depth_scale is not None and depth is None:
        raise HandsightError(
            f"--depth-scale is {depth_scale:g}, and there is no --depth; give both, or neither"
        )
    if depth_scale is not None and not 0 < depth_scale < np.inf:
        raise HandsightError(f"--depth-scale is {depth_scale:g}; give metres to a unit, as in 0.001")
    drawn = out or image.with_name(f"{image.stem}-things.png")
    if drawn.suffix.lower() not in (".png", ".jpg", ".jpeg") or drawn.is_dir() or not drawn.parent.is_dir():
        raise HandsightError(
            f"{drawn} cannot be drawn to; give a PNG or JPEG in a folder that is there: --out"
        )
    pixels = read_picture(existing(image, "a picture"))
    segmenter = load_segmenter(existing(encoder, "the folder of a run"))
    depth_m = (
        None if depth is None else _read_depth(existing(depth, "a file of depths"), depth_scale, pixels.shape)
    )
    if depth_m is not None and not segmenter.encoder.takes_depth:
        raise HandsightError(f"the encoder of {encoder} takes no depth; leave --depth out")
    logit = float(np.log(threshold / (1 - threshold)))
    (things,) = segmenter.segment(pixels[None], None if depth_m is None else depth_m[None], logit)
    for number, (mask, score, bin_) in enumerate(zip(things.masks, things.scores, things.bins, strict=True)):
        rows, columns = np.nonzero(mask)
        box = f"{columns.min()}, {rows.min()} to {columns.max()}, {rows.max()}" if len(rows) else "nowhere"
        print(f"{number + 1:>3}  {score:.2f}  {MASS_CLASSES[int(bin_)]:<6}  {len(rows):>6} px  {box}")
    plain = draw_things(pixels, things.most(0))
    Image.fromarray(side_by_side([plain, draw_things(pixels, things)])).save(drawn)
    print(f"{len(things)} things, red light, green medium, blue heavy: {drawn}")


def _read_depth(path: Path, scale: float | None, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Read depth in metres of a picture `[H, W, 3]`."""
    try:
        values = np.load(path) if path.suffix == ".npy" else np.asarray(Image.open(path))
    except (UnidentifiedImageError, OSError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise HandsightError(f"{path} is no depth that can be read; give .npy, or a 16-bit PNG") from error
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "iuf":
        kind = values.dtype if isinstance(values, np.ndarray) else "several arrays"
        raise HandsightError(f"{path} holds {kind}; give a depth, metres or whole numbers, for every pixel")
    if values.shape != shape[:2]:
        raise HandsightError(
            f"{path} has shape {list(values.shape)}, the picture {list(shape[:2])}; give a depth for every"
            " pixel"
        )
    if values.dtype.kind in "iu" and scale is None:
        raise HandsightError(
            f"{path} holds whole numbers ({values.dtype}); say how many metres a unit is:"
            " --depth-scale 0.001 for millimetres"
        )
    return np.asarray(values * (1.0 if scale is None else scale), np.float32)

"""A map of an embedding: frames that an encoder finds alike lie together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from handsight.errors import HandsightError
from handsight.report.markup import Element, element, paragraph
from handsight.report.page import Section
from handsight.report.pictures import Frame, check_frames, picture_uri

MOST_POINTS = 2000
SIDE = 420.0
LABEL_PX = 10.0
THUMBNAIL_PX = 26


@dataclass(frozen=True)
class EmbeddingMap:
    """One encoder's map.

    Args:
        encoder: its name.
        points: float `[N, 2]`, finite; see `embed_2d`.
        categories: `[N]`, the name of each point's category.
        thumbnails: uint8 `[N, h, w, 3]`, one of which stands at each category; or None.

    Raises:
        HandsightError: where the lengths differ or a point is not finite.
    """

    encoder: str
    points: NDArray[np.floating]
    categories: Sequence[str]
    thumbnails: Frame | None = None

    def __post_init__(self) -> None:
        shape = np.shape(self.points)
        if (
            len(shape) != 2
            or shape[1] != 2
            or shape[0] != len(self.categories)
            or not np.isfinite(self.points).all()
        ):
            raise HandsightError(
                f"the map of {self.encoder} got points {list(shape)} and {len(self.categories)} categories; "
                "expected finite points [N, 2] and a category each"
            )
        if self.thumbnails is not None:
            check_frames(self.thumbnails, 4, f"the thumbnails of {self.encoder}")
            if len(self.thumbnails) != shape[0]:
                raise HandsightError(
                    f"the map of {self.encoder} got {len(self.thumbnails)} thumbnails for {shape[0]} points; "
                    "expected one each"
                )


def choose_rows(count: int, generator: np.random.Generator, most: int = MOST_POINTS) -> NDArray[np.int64]:
    """Return at most `most` of `count` rows, in order: the same rows for every encoder's map."""
    if count <= most:
        return np.arange(count)
    return np.sort(generator.choice(count, most, replace=False))


def embed_2d(features: NDArray[np.floating], seed: int) -> NDArray[np.float64]:
    """Lay embeddings out in the plane by t-SNE, begun from their principal components.

    van der Maaten and Hinton 2008, "Visualizing data using t-SNE"; the beginning as in Kobak and Berens 2019,
    "The art of using t-SNE for single-cell transcriptomics". At most 50 principal components go in.

    Args:
        features: `[N, D]`, finite, N from 3 to 2,000 (see `choose_rows`), standardised.
        seed: of t-SNE.

    Returns:
        `[N, 2]`.

    Raises:
        HandsightError: where there are too many or too few rows, or a value is not finite.
    """
    rows = np.asarray(features, dtype=np.float64)
    if rows.ndim != 2 or not 3 <= len(rows) <= MOST_POINTS or not np.isfinite(rows).all():
        raise HandsightError(
            f"a map was asked of features {list(rows.shape)}; expected 3 to {MOST_POINTS} finite rows: "
            "choose some of them"
        )
    # Imported here: scikit-learn takes a second to import, and most reports have no map.
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    components = min(50, len(rows) - 1, rows.shape[1])
    spread = rows.std(axis=0).max() if rows.size else 0.0
    if components < 2 or spread <= 1e-12:
        # t-SNE divides by the spread of the beginning; without one there is nothing to lay out.
        return np.column_stack([rows[:, 0] - rows[:, 0].mean(), np.zeros(len(rows))])
    reduced = PCA(components, svd_solver="full").fit_transform(rows)
    perplexity = float(min(30, (len(rows) - 1) / 3))
    layout = TSNE(2, init="pca", perplexity=perplexity, learning_rate="auto", random_state=seed)
    return np.asarray(layout.fit_transform(reduced), dtype=np.float64)


def map_section(
    maps: Sequence[EmbeddingMap], title: str = "A map of the embedding", intro: str = ""
) -> Section:
    """Show the maps of some encoders side by side, coloured alike."""
    if not maps:
        return Section(title, (paragraph("No map was made.", class_="note"),), missing=True)
    names = sorted({name for one in maps for name in one.categories})
    numbers = {name: number for number, name in enumerate(names)}
    text = intro or (
        "Each point is a frame; frames that an encoder finds alike lie together (t-SNE). Distances between "
        "far groups mean little. A category's name stands at its frames; point at one to see it alone in all "
        "maps."
    )
    panels = [_panel(one, numbers) for one in maps]
    key = element("ul", *(_key(name, number, len(names)) for name, number in numbers.items()), class_="key")
    rules = "".join(
        f".maps:has(.k{n}:hover) :is(.points,.key>li,.names>g):not(.k{n}){{opacity:.08}}"
        for n in numbers.values()
    )
    box = element(
        "div", element("style", rules), element("div", *panels, class_="panels"), key, class_="maps"
    )
    return Section(title, (paragraph(text), box))


def _panel(one: EmbeddingMap, numbers: Mapping[str, int]) -> Element:
    places = _fitted(np.asarray(one.points, dtype=np.float64))
    categories = np.array([numbers[name] for name in one.categories], dtype=np.int64)
    present = np.unique(categories)
    told = f"Map of {one.encoder}: {len(places)} frames of {len(present)} categories"
    drawing = element(
        "svg", element("title", told), viewBox=f"0 0 {SIDE:g} {SIDE:g}", role="img", class_="map"
    )
    middles = []
    for number in present.tolist():
        mine = places[categories == number]
        middles.append(_anchor(mine, one.thumbnails is not None))
        drawing.append(
            element(
                "path",
                d="".join(f"M{x:.1f} {y:.1f}h0" for x, y in mine),
                class_=f"points k{number}",
                style=hue(number, len(numbers)),
            )
        )
    labels = element("g", class_="names")
    texts = list(numbers)
    names = [texts[number] for number in present.tolist()]
    pictured = one.thumbnails is not None
    spots = spread_labels(np.array(middles).reshape(-1, 2), names, THUMBNAIL_PX if pictured else 0)
    for number, name, (x, y) in zip(present.tolist(), names, spots, strict=True):
        group = element("g", class_=f"k{number}", style=hue(number, len(numbers)))
        if one.thumbnails is not None:
            mine = np.flatnonzero(categories == number)
            middle = np.median(places[mine], axis=0)
            chosen = mine[np.argmin(((places[mine] - middle) ** 2).sum(axis=1))]
            group.append(_thumbnail(one.thumbnails[chosen], float(x), float(y)))
        group.append(element("text", name, x=float(x), y=float(y) + LABEL_PX * 0.35, text_anchor="middle"))
        labels.append(group)
    drawing.append(labels)
    return element("figure", element("figcaption", one.encoder), drawing, class_="panel")


def _anchor(places: NDArray[np.float64], pictured: bool) -> NDArray[np.float64]:
    """Return where a name would best stand: at the middle; with a picture, above it, not to hide it."""
    x, y = np.median(places, axis=0)
    if pictured:
        y = max(float(np.quantile(places[:, 1], 0.05)) - LABEL_PX, y - THUMBNAIL_PX)
    return np.array([x, y])


def _thumbnail(frame: Frame, x: float, y: float) -> Element:
    side = float(THUMBNAIL_PX)
    left, top = x - side / 2, y - LABEL_PX * 0.6 - side
    picture = element(
        "image",
        href=picture_uri(frame, THUMBNAIL_PX * 3),
        x=left,
        y=top,
        width=side,
        height=side,
        aria_hidden="true",
    )
    rim = element("rect", x=left, y=top, width=side, height=side, class_="rim")
    return element("g", picture, rim)


def _key(name: str, number: int, count: int) -> Element:
    swatch = element("span", class_="swatch", aria_hidden="true")
    return element("li", swatch, name, class_=f"k{number}", style=hue(number, count))


def hue(number: int, count: int) -> str:
    """Return the style that gives a category its colour: hues around the circle, every other one darker."""
    return f"--hue:{360 * number / max(count, 1):.0f};--step:{number % 3}"


def spread_labels(
    middles: NDArray[np.float64], names: Sequence[str], above: float = 0.0
) -> NDArray[np.float64]:
    """Move labels apart until none covers another, each as little as it takes.

    Args:
        middles: `[L, 2]`, where they would best stand.
        names: `[L]`.
        above: room that a picture takes above each name.

    Returns:
        `[L, 2]`, inside the drawing.
    """
    half_w = np.maximum(np.array([len(name) for name in names]) * LABEL_PX * 0.28 + 3, above / 2 + 1)
    half_h = (LABEL_PX + 2 + above) / 2
    centre = middles - np.array([0, above / 2])
    low = np.column_stack([half_w, np.full(len(names), half_h)])
    for _ in range(400):
        apart = centre[:, None] - centre[None]
        over_x = half_w[:, None] + half_w[None] - np.abs(apart[..., 0])
        over_y = 2 * half_h - np.abs(apart[..., 1])
        cover = (over_x > 0) & (over_y > 0)
        np.fill_diagonal(cover, False)
        if not cover.any():
            break
        # The cheaper way out, and a fixed direction for labels that stand on the very same spot.
        order = np.sign(np.arange(len(names))[:, None] - np.arange(len(names))[None])
        sideways = cover & (over_x < over_y)
        upwards = cover & ~sideways
        sign_x = np.where(apart[..., 0] == 0, order, np.sign(apart[..., 0]))
        sign_y = np.where(apart[..., 1] == 0, order, np.sign(apart[..., 1]))
        centre = centre + 0.3 * np.column_stack(
            [(sideways * sign_x * over_x).sum(axis=1), (upwards * sign_y * over_y).sum(axis=1)]
        )
        centre = np.clip(centre, low, SIDE - low)
    kept: NDArray[np.float64] = np.clip(centre, low, SIDE - low) + np.array([0, above / 2])
    return kept


def _fitted(points: NDArray[np.float64], margin: float = 16.0) -> NDArray[np.float64]:
    """Bring points into the drawing, both axes by one scale."""
    if not len(points):
        return points
    low, high = points.min(axis=0), points.max(axis=0)
    extent = float((high - low).max()) or 1.0
    fitted: NDArray[np.float64] = (points - (low + high) / 2) * ((SIDE - 2 * margin) / extent) + SIDE / 2
    return fitted

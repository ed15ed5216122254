"""Image files → a recording: a folder a clip, or an image an episode."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from handsight.errors import HandsightError
from handsight.recordings.layout import shown
from handsight.recordings.writer import Writer
from handsight.sources.files import categories, find_files, place
from handsight.sources.framing import Framing, Picture
from handsight.sources.intake import (
    CAMERA,
    Broken,
    Counter,
    Progress,
    check_above_zero,
    one_shape,
    open_writer,
    read_earlier,
)
from handsight.sources.pictures import IMAGE_SUFFIXES, UNREADABLE_SUFFIXES, read_picture, read_size

Layout = Literal["clip-per-folder", "image-per-episode", "category-folders"]


def ingest_images(
    source: Path,
    out: Path,
    *,
    layout: Layout = "clip-per-folder",
    fps: float = 30.0,
    size: int | None = None,
    square: bool = False,
    video: bool = False,
    skip_broken: bool = False,
    progress: Progress | None = None,
) -> Path:
    """Make a recording from image files: each folder of them a clip, or each image an episode.

    Pictures are turned upright as their EXIF orientation says and brought to 8-bit RGB: grey becomes three
    equal channels, transparency is laid over white, of 16 bits the upper eight are kept. The one stream is
    `observation.images.camera`. Each episode's facts: `source`, the folder or file below the source folder;
    and `category`, the first sub-folder on the way to it, where all of them lie in sub-folders. The same
    command again goes on after a kill, and takes in what has come since.

    Args:
        source: an image file, or a folder that is searched recursively.
        out: folder of the recording.
        layout: `clip-per-folder`: the images directly in a folder are the frames of one episode, in natural
            order (frame2 before frame10). `image-per-episode`: each image is an episode of one frame.
            `category-folders`: the same, and every image must lie in a sub-folder of the source, which names
            its category.
        fps: frames per second that the images of a clip were taken at.
        size: short side of the recorded pictures in px, aspect ratio kept. Default: as in the files, which
            must then be of one size.
        square: cut out the central square first, so that images of different shapes go into one recording.
        video: store mp4, which is smaller, loses detail and needs even sides (an odd one loses its last row
            or column); else PNG.
        skip_broken: leave out episodes with an image that cannot be read, and name them at the end. Default:
            stop at the first one.
        progress: told how many images are done and how many there are.

    Returns:
        The folder of the recording.

    Raises:
        HandsightError: there are no images; one of them cannot be read; they differ in size; one lies outside
            of any category; or `out` holds something else. But for faults that only decoding finds, this is
            before anything is written.
    """
    check_above_zero(fps=fps)
    out = out.expanduser()
    framing = Framing(size, square, even=video)
    root, files = find_files(source, IMAGE_SUFFIXES, "image", leave_out=out, unreadable=UNREADABLE_SUFFIXES)
    episodes = _episodes(root, files, layout)
    category = categories(episodes)
    if layout == "category-folders" and category is None:
        outside = next(where for where in episodes if "/" not in where)
        raise HandsightError(
            f"{outside} lies directly in {shown(root)}; expected every image in a sub-folder, its category"
        )
    settings: dict[str, Any] = {"format": "images", "folder": root.resolve().name, "layout": layout}
    settings |= {"fps": fps, "size": size, "square": square, "video": video}
    earlier, broken = read_earlier(out, settings), Broken(skip_broken)
    todo = {
        where: paths for where, paths in episodes.items() if earlier is None or where not in earlier.lengths
    }
    sizes: dict[str, tuple[int, int]] = {}
    for where, paths in list(todo.items()):
        found = dict(broken.guard((place(path, root), read_size(path)) for path in paths))
        if len(found) < len(paths):
            del todo[where]
        else:
            sizes.update(found)
    if not todo and earlier is None:
        broken.report(out, episodes_n=0)
    shape = one_shape(sizes, framing, earlier)
    facts = {"source": "string"} | ({} if category is None else {"category": "string"})
    count = Counter(progress, sum(map(len, todo.values())))
    with open_writer(out, shape, fps, video=video, facts=facts, settings=settings) as writer:
        for where, paths in todo.items():
            known = {"source": where} | ({} if category is None else {"category": category[where]})
            _record(writer, count.each(broken.guard(_pictures(paths, framing))), len(paths), known)
        count.finish()
        broken.report(out, writer.next_episode)
    return out


def _episodes(root: Path, files: list[Path], layout: Layout) -> dict[str, list[Path]]:
    """Return each episode's images in order, by where it lies."""
    episodes: dict[str, list[Path]] = {}
    for path in files:
        episodes.setdefault(place(path.parent if layout == "clip-per-folder" else path, root), []).append(
            path
        )
    return episodes


def _pictures(paths: list[Path], framing: Framing) -> Iterator[Picture]:
    for path in paths:
        yield framing.apply(read_picture(path))


def _record(writer: Writer, pictures: Iterator[Picture], expected_n: int, facts: Mapping[str, str]) -> None:
    """Write one episode, or nothing where a picture is missing: a gap would shift all later times."""
    length = 0
    for picture in pictures:
        writer.add_frame({CAMERA: picture})
        length += 1
    if length == expected_n:
        writer.save_episode(facts)
    elif length:
        writer.discard_episode()

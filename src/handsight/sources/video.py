"""Video files → a recording: each file an episode, or cut into clips."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from handsight.errors import HandsightError
from handsight.recordings.layout import frame_rate, shown
from handsight.recordings.writer import Writer
from handsight.sources.decoding import VIDEO_SUFFIXES, VideoHeader, decode, read_header, to_picture
from handsight.sources.files import categories, find_files, place
from handsight.sources.framing import Framing, Picture
from handsight.sources.intake import (
    CAMERA,
    Broken,
    Counter,
    Earlier,
    Progress,
    check_above_zero,
    one_shape,
    open_writer,
    read_earlier,
)
from handsight.sources.resampling import nearest_frames

_log = logging.getLogger(__name__)
_HIGHEST_FPS = 500


def ingest_video(
    source: Path,
    out: Path,
    *,
    fps: float | None = None,
    size: int | None = None,
    square: bool = False,
    clip_s: float | None = None,
    video: bool = True,
    skip_broken: bool = False,
    progress: Progress | None = None,
) -> Path:
    """Make a recording from video files: each file an episode, or cut into clips.

    Frames are turned upright, brought to square pixels and to RGB as the file declares its colours;
    transparency is laid over white, sound left out. The one stream is `observation.images.camera`. Each
    episode's facts: `source`, the file below the folder; `start_s`, where in the file it begins, in s; and
    `category`, the first sub-folder on the way to the file, where all files lie in sub-folders. The same
    command again goes on after a kill, and takes in files that have come since.

    Args:
        source: a video file, or a folder that is searched recursively.
        out: folder of the recording.
        fps: frames per second of the recording; from each file the frames nearest to these times are taken.
            Default: the first file's own.
        size: short side of the recorded pictures in px, aspect ratio kept. Default: as in the files.
        square: cut out the central square first, so that files of different shapes go into one recording.
        clip_s: cut files into episodes of this many seconds; a shorter last one is kept if it has at least
            two frames. Default: a file is an episode.
        video: store mp4, which needs even sides (an odd one loses its last row or column); else PNG images,
            which lose nothing.
        skip_broken: leave out files that cannot be read and name them at the end; of one cut into clips,
            those before its fault stay. Default: stop at the first one.
        progress: told how many frames are done and how many there are, by the files' own durations.

    Returns:
        The folder of the recording.

    Raises:
        HandsightError: there are no videos; one of them cannot be read; they differ in size; or `out` holds
            something else. But for faults that only decoding finds, this is before anything is written.
    """
    check_above_zero(fps=fps, clip_s=clip_s)
    out = out.expanduser()
    framing = Framing(size, square, even=video)
    root, files = find_files(source, VIDEO_SUFFIXES, "video", leave_out=out)
    category = categories(place(path, root) for path in files)
    settings: dict[str, Any] = {"format": "video", "folder": root.resolve().name}
    settings |= {"fps": fps, "size": size, "square": square, "clip_s": clip_s, "video": video}
    earlier, broken = read_earlier(out, settings), Broken(skip_broken)
    todo = {where: path for path in files if _unfinished(where := place(path, root), earlier, clip_s)}
    if earlier is not None and earlier.last in todo:
        # What was under way comes first, because the next run takes only the last file for unfinished.
        todo = {earlier.last: todo[earlier.last], **todo}
    headers = {where: header for where, path in todo.items() for header in broken.guard(_header(path))}
    if not headers and earlier is None:
        broken.report(out, episodes_n=0)
    shape = one_shape({where: (head.height, head.width) for where, head in headers.items()}, framing, earlier)
    rate = fps or (earlier.fps if earlier else _own_fps(headers))
    _tell_resampled(headers, rate)
    facts = {"source": "string", "start_s": "float64"} | ({} if category is None else {"category": "string"})
    with open_writer(out, shape, rate, video=video, facts=facts, settings=settings) as writer:
        count = Counter(progress, sum(_expected_n(head, rate) for head in headers.values()))
        for where, header in headers.items():
            done = sum(earlier.lengths.get(where, [])) if earlier else 0
            count.add(done)
            known = {"source": where} | ({} if category is None else {"category": category[where]})
            pictures = count.each(_pictures(todo[where], header, framing, shape, rate, skip=done))
            _record(writer, broken, pictures, known, done, rate, clip_s)
        count.finish()
        broken.report(out, writer.next_episode)
    return out


def _header(path: Path) -> Iterator[VideoHeader]:
    yield read_header(path)


def _own_fps(headers: Mapping[str, VideoHeader]) -> float:
    """Return the first file's frames per second; browsers' recordings may state their clock's instead."""
    where, header = next(iter(headers.items()))
    if header.fps > _HIGHEST_FPS:
        raise HandsightError(f"{where} states {float(header.fps):.6g} frames per second; give --fps")
    return float(header.fps)


def _unfinished(where: str, earlier: Earlier | None, clip_s: float | None) -> bool:
    """Whether a file has to be read: the last one may have more clips, unless its last clip is short."""
    if earlier is None or where not in earlier.lengths:
        return True
    return (
        clip_s is not None
        and where == earlier.last
        and earlier.lengths[where][-1] == _clip_n(clip_s, earlier.fps)
    )


def _clip_n(clip_s: float, fps: float) -> int:
    return max(1, round(clip_s * fps))


def _expected_n(header: VideoHeader, fps: float) -> int:
    return round((header.duration_s or 0) * fps)


def _pictures(
    path: Path, header: VideoHeader, framing: Framing, shape: tuple[int, int], fps: float, *, skip: int
) -> Iterator[Picture]:
    """Yield a file's pictures at the recording's rate, without the first `skip`."""
    latest: Any = None
    picture: Picture | None = None
    for index, frame in enumerate(nearest_frames(decode(path), frame_rate(fps), 1 / header.fps)):
        if index < skip:
            continue
        if frame is not latest or picture is None:
            latest, picture = frame, framing.apply(to_picture(frame, header.pixel_aspect))
        if picture.shape[:2] != shape:
            raise HandsightError(f"{shown(path)} changes its size after {index / fps:.2f} s")
        yield picture


def _record(
    writer: Writer,
    broken: Broken,
    pictures: Iterator[Picture],
    facts: Mapping[str, str],
    first: int,
    fps: float,
    clip_s: float | None,
) -> None:
    """Write a file's pictures from number `first` on, as one episode or in clips.

    Of a file that turns out to be broken only whole clips are kept.
    """
    length, faults_n = 0, len(broken.lines)
    for picture in broken.guard(pictures):
        writer.add_frame({CAMERA: picture})
        length += 1
        if clip_s is not None and length == _clip_n(clip_s, fps):
            writer.save_episode({**facts, "start_s": first / fps})
            first, length = first + length, 0
    whole = len(broken.lines) == faults_n
    if whole and (length > 1 or (length == 1 and first == 0)):
        writer.save_episode({**facts, "start_s": first / fps})
    elif length:
        writer.discard_episode()


def _tell_resampled(headers: Mapping[str, VideoHeader], fps: float) -> None:
    others = [where for where, header in headers.items() if abs(float(header.fps) / fps - 1) > 1e-3]
    if others:
        example = f"{others[0]} has {float(headers[others[0]].fps):.6g}"
        _log.info(
            "the recording has %.6g frames per second; %d files are resampled to that (%s)",
            fps,
            len(others),
            example,
        )

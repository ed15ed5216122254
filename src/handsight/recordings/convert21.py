"""LeRobotDataset v2.1 → v3.0: an episode a file becomes shards.

Pictures and videos are copied, never re-encoded.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from handsight.errors import HandsightError
from handsight.recordings.columns import Column, to_numpy
from handsight.recordings.features import Feature
from handsight.recordings.layout import INFO, shown
from handsight.recordings.selection import read_features
from handsight.recordings.stats import Figures, from_lists
from handsight.recordings.videofile import video_codec
from handsight.recordings.writer import Writer

_DATA = "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet"
_VIDEO = "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4"
_log = logging.getLogger(__name__)


def convert(
    source: str | Path, destination: str | Path, progress: Callable[[int, int], None] | None = None
) -> int:
    """Copy a LeRobotDataset v2.1 into a new one of v3.0; after a kill, the same call goes on.

    An episode keeps one task; where its frames had several, the first (v3.0 as written here has one an
    episode).

    Args:
        source: folder of v2.1.
        destination: new folder.
        progress: called with the number of episodes done and to do.

    Returns:
        The number of episodes.

    Raises:
        HandsightError: the source is of another version or damaged, or the destination holds something else.
    """
    old = _read(Path(source).expanduser())
    with Writer(
        destination, old.features, old.info["fps"], robot_type=old.info.get("robot_type"), codec=old.codec()
    ) as writer:
        for episode in range(writer.next_episode, len(old.tasks)):
            columns, videos = old.episode(episode)
            writer.add_encoded_episode(columns, videos, old.figures.get(episode, {}), task=old.tasks[episode])
            if progress is not None:
                progress(episode + 1, len(old.tasks))
    return len(old.tasks)


@dataclass(frozen=True)
class _Old:
    """A recording of v2.1."""

    root: Path
    info: Mapping[str, Any]
    features: Mapping[str, Feature]
    tasks: tuple[str, ...]
    figures: Mapping[int, Mapping[str, Figures]]

    def codec(self) -> str:
        """Return the format of the first video; without one it does not matter."""
        cameras = [name for name, feature in self.features.items() if feature.dtype == "video"]
        return video_codec(self._path("video_path", _VIDEO, 0, cameras[0])) if cameras else "h264"

    def episode(self, index: int) -> tuple[dict[str, Column], dict[str, Path]]:
        """Return the columns and the videos of one episode."""
        path = self._path("data_path", _DATA, index)
        columns: dict[str, Column] = {}
        videos = {}
        try:
            table = pq.read_table(path)
            for name, feature in self.features.items():
                if feature.dtype == "video":
                    videos[name] = self._path("video_path", _VIDEO, index, name)
                elif feature.dtype == "image":
                    columns[name] = [self._picture(value) for value in table.column(name).to_pylist()]
                else:
                    columns[name] = to_numpy(table.column(name), feature, f"{shown(path)}, column {name!r}")
        except (OSError, KeyError, pa.ArrowException) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise HandsightError(f"{shown(path)} cannot be read ({reason}); restore it from a copy") from None
        return columns, videos

    def _picture(self, value: Mapping[str, Any]) -> bytes:
        encoded = value.get("bytes")
        return encoded if isinstance(encoded, bytes) else (self.root / value["path"]).read_bytes()

    def _path(self, key: str, default: str, episode: int, camera: str = "") -> Path:
        chunk = episode // int(self.info.get("chunks_size") or 1000)
        pattern = self.info.get(key) or default
        path = self.root / pattern.format(episode_chunk=chunk, episode_index=episode, video_key=camera)
        if not path.is_file():
            raise HandsightError(f"{shown(path)} is missing; restore it from a copy of the recording")
        return path


def _read(root: Path) -> _Old:
    try:
        info = json.loads((root / INFO).read_text(encoding="utf-8"))
        version = info.get("codebase_version")
        if version != "v2.1":
            raise HandsightError(
                f"{shown(root)} is of version {version!r}; this converts LeRobotDataset v2.1"
            )
        selection = read_features(root, info)
        episodes = _lines(root / "meta/episodes.jsonl")
        tasks = tuple(str((row.get("tasks") or [""])[0]) for row in episodes)
        if [row["episode_index"] for row in episodes] != list(range(int(info["total_episodes"]))):
            raise HandsightError(f"{shown(root)}/meta/episodes.jsonl: row i is not episode i; restore it")
        figures: dict[int, Mapping[str, Figures]] = {}
        if (root / "meta/episodes_stats.jsonl").is_file():
            for row in _lines(root / "meta/episodes_stats.jsonl"):
                cameras = {n: s for n, s in row["stats"].items() if n in selection.on_disk}
                figures[int(row["episode_index"])] = {
                    n: from_lists(s) for n, s in cameras.items() if selection.on_disk[n].is_camera
                }
    except HandsightError:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
        raise HandsightError(
            f"{shown(root)}: the meta files of LeRobotDataset v2.1 cannot be read ({reason})"
        ) from None
    for name, reason in selection.unsupported.items():
        _log.warning("%s: stream %s is left out: %s", shown(root), name, reason)
    return _Old(root, info, selection.on_disk, tasks, figures)


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]

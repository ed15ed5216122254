"""What rerun finds in a recording. Runs in rerun's environment, where nothing of ours is installed.

python rerun_reads.py FOLDER OUT.npz
"""

import json
import sys
import tempfile
from pathlib import Path

import numpy as np
from rerun.experimental import LeRobotReader

KINDS = {
    "EncodedImage:blob": "picture",
    "VideoStream:sample": "sample",
    "Scalars:scalars": "numbers",
    "TextDocument:text": "text",
}


def main(folder: Path, out: Path) -> None:
    """Read every episode's chunks, and write one episode as rerun's own file."""
    reader = LeRobotReader(folder)
    rows: dict[str, dict[tuple[int, int], object]] = {}
    for episode in reader.episodes():
        for chunk in reader.stream(episode).to_chunks():
            if chunk.is_static:
                continue
            batch = chunk.to_record_batch()
            frames = batch.column("frame_index").to_pylist()
            for component in set(batch.schema.names) & KINDS.keys():
                values = batch.column(component)
                if KINDS[component] in ("picture", "sample"):
                    made = [row.values[0].values.to_numpy() for row in values]
                else:
                    made = values.to_pylist()
                key = f"{KINDS[component]}{chunk.entity_path}"
                rows.setdefault(key, {}).update({(episode, f): v for f, v in zip(frames, made, strict=True)})
    with tempfile.TemporaryDirectory() as room:
        file = Path(room) / "episode.rrd"
        reader.stream(reader.episodes()[0]).write_rrd(file, application_id="a", recording_id="b")
        rrd_bytes = file.stat().st_size
    arrays: dict[str, np.ndarray] = {}
    for key, found in rows.items():
        order = sorted(found)
        arrays[f"at/{key}"] = np.array(order)
        if key.startswith(("picture", "sample")):
            parts = [found[place] for place in order]
            arrays[f"bytes/{key}"] = np.concatenate(parts)
            arrays[f"ends/{key}"] = np.cumsum([len(part) for part in parts])
        else:
            arrays[f"values/{key}"] = np.array([found[place] for place in order])
    said = {"version": reader.version, "episodes": reader.episodes(), "rrd_bytes": rrd_bytes}
    np.savez(out, said=json.dumps(said), **arrays)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))

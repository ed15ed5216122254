"""A recording in words, for `handsight info`."""

from __future__ import annotations

from handsight.recordings import Summary


def in_lines(summary: Summary) -> list[str]:
    """Return what `handsight info` prints, a line each."""
    shortest, median, longest = summary.lengths
    minutes = summary.duration_s / 60
    rows = [
        ("recording", str(summary.root)),
        (
            "episodes",
            f"{summary.num_episodes:,} ({summary.num_frames:,} frames,"
            f" {minutes:.1f} min at {summary.fps:g} frames/s)",
        ),
        ("length", f"{shortest} to {longest} frames, median {median:g}"),
        ("splits", ", ".join(f"{name} {count:,}" for name, count in summary.splits.items())),
        *(
            ("camera", f"{camera.name}: {camera.width} × {camera.height}, {camera.codec}")
            for camera in summary.cameras
        ),
    ]
    for name, feature in summary.streams.items():
        entries = " × ".join(map(str, feature.shape))
        said = [f"{feature.dtype} [{entries}]", *([feature.unit] if feature.unit else [])]
        said += [f"between frames: {feature.between}"] if feature.between else []
        rows.append(("stream", f"{name}: {', '.join(said)}"))
    rows += [("not read", f"{name}: {why}") for name, why in summary.unsupported.items()]
    rows += [("fact", f"{fact.name}: {fact.dtype}, {fact.distinct:,} different") for fact in summary.facts]
    rows += [
        ("task", f"{task or '(none)'}: {count:,} episodes") for task, count in list(summary.tasks.items())[:5]
    ]
    rows.append(("on disk", f"{sum(summary.bytes_on_disk.values()) / 1e6:,.1f} MB"))
    return [f"{key:<11}{value}" for key, value in rows]

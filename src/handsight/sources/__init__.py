"""Sources: other people's data → a recording, a file a format."""

from collections.abc import Callable
from pathlib import Path

from handsight.sources.images import ingest_images as ingest_images
from handsight.sources.video import ingest_video as ingest_video

SOURCES: dict[str, Callable[..., Path]] = {"video": ingest_video, "images": ingest_images}
"""Name on the command line → function of the source, the folder of the recording, and options."""

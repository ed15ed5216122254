"""Sources: other people's data → a recording, a file a format.

A source is a function `ingest(source, out, *, …options, progress=None) -> out`; its typed, documented
options are those of the command line. All of them keep to this, and the conformance suite asks it of each
in `SOURCES`:

- The recording is a function of the source's content and the options: the same call makes the same bytes.
  Neither the source nor any global generator of random numbers is changed.
- Each episode has the fact `source`: what of the source it is, with `/` between the parts. Episodes stand
  in natural order, frames at their own times: `fps` is the source's, where it has one.
- Every stream says what lies between two frames (`between`); what mirroring does to it (`moves`) and its
  unit, where they are known. Its numbers lie in the range that these name.
- Where `out` is not there it is made. Where it holds an earlier run of the same call, complete or killed,
  this goes on to what one go would have made, and takes in what has come since. Anything else is refused
  and left as it is; `out` may lie below the source.
- What is missing, empty, cut off or of another kind is a `HandsightError` of one line that names the
  file; what was recorded before it is kept, and mending it lets the same call go on.
- `progress(done, total)` never goes back and ends with the two equal.
"""

from collections.abc import Callable
from pathlib import Path

from handsight.sources.co3d import ingest_co3d as ingest_co3d
from handsight.sources.grasps import ingest_grasps as ingest_grasps
from handsight.sources.images import ingest_images as ingest_images
from handsight.sources.mvimgnet import ingest_mvimgnet as ingest_mvimgnet
from handsight.sources.rt4k import ingest_rt4k as ingest_rt4k
from handsight.sources.uw_rgbd import ingest_uw_rgbd as ingest_uw_rgbd
from handsight.sources.video import ingest_video as ingest_video

SOURCES: dict[str, Callable[..., Path]] = {
    "video": ingest_video,
    "images": ingest_images,
    "rt4k": ingest_rt4k,
    "mvimgnet": ingest_mvimgnet,
    "co3d": ingest_co3d,
    "grasps": ingest_grasps,
    "uw-rgbd": ingest_uw_rgbd,
}
"""Name on the command line → function of the source, the folder of the recording, and options."""

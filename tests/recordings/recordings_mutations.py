"""Damage of every kind to small recordings, a function of a seed: to their bytes, files, JSON and videos."""

import contextlib
import json
import random
import shutil
import struct

import av
import pyarrow as pa
from recordings_table_mutations import TABLE_DAMAGES, files
from recordings_wild import encode

NASTY = (
    None, True, False, 0, -1, 1, 7, 3.5, -0.0, 1e-300, 1e300, float("nan"), float("inf"), 2**31, 2**62,
    10**30, "", " ", "7", "x" * 5000, "two\nlines", "\ud800", "../../escape", "/etc/passwd", [], [1],
    [None], {}, {"a": 1}, [[[[]]]], [2**40, 2**40], "float32", "image", "video", "v2.1", "nan",
)  # fmt: skip
PATTERNS = (
    "{chunk_index.__class__}", "{chunk_index.__class__.__mro__[1].__subclasses__}", "{0}", "{}", "{", "}",
    "{missing}", "{chunk_index:0999999999d}", "{chunk_index!r}/{file_index!r}", "{file_index:s}",
    "../r/data/chunk-000/file-000.parquet", "/etc/passwd", "/dev/zero", "data/chunk-000/file-000.parquet",
    "data/../data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
    "data/chunk-{chunk_index}/file-{file_index}.parquet", "\0", "a\nb/{file_index}", "x" * 4000, ".", "",
)  # fmt: skip


def damage(root, seed):
    """Damage a recording in one to three ways; return their names."""
    chance = random.Random(seed)
    done = []
    for _ in range(chance.choice((1, 1, 1, 2, 2, 3))):
        kind = chance.choice(DAMAGES)
        with contextlib.suppress(
            pa.ArrowException,
            OSError,
            ValueError,
            KeyError,
            IndexError,
            TypeError,
            OverflowError,
            RecursionError,
        ):
            kind(root, chance)
            done.append(kind.__name__)
    return done


def flip_bits(root, chance):
    path = files(root, chance)
    content = bytearray(path.read_bytes())
    for _ in range(chance.choice((1, 1, 4, 64))):
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    path.write_bytes(content)


def flip_near_an_end(root, chance):
    """Headers and footers: where formats say how long things are."""
    path = files(root, chance)
    content = bytearray(path.read_bytes())
    reach = min(len(content), 200)
    for _ in range(chance.choice((1, 2, 8))):
        place = chance.randrange(reach)
        content[place if chance.random() < 0.4 else -1 - place] = chance.randrange(256)
    path.write_bytes(content)


def cut(root, chance):
    path = files(root, chance)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * chance.random())])


def cut_out(root, chance):
    path = files(root, chance)
    content = path.read_bytes()
    first, last = sorted(chance.randrange(len(content)) for _ in range(2))
    path.write_bytes(
        content[:first] + chance.choice((b"", bytes(last - first), b"\xff" * (last - first))) + content[last:]
    )


def append(root, chance):
    path = files(root, chance)
    path.write_bytes(path.read_bytes() + chance.choice((b"\0" * 64, b"garbage", path.read_bytes())))


def delete(root, chance):
    files(root, chance).unlink()


def empty(root, chance):
    files(root, chance).write_bytes(b"")


def swap(root, chance):
    one, other = files(root, chance), files(root, chance)
    a, b = one.read_bytes(), other.read_bytes()
    one.write_bytes(b)
    other.write_bytes(a)


def copy_over(root, chance):
    ending = chance.choice(("", ".parquet", ".mp4"))
    one, other = files(root, chance, ending), files(root, chance, ending)
    if one != other:
        shutil.copy(one, other)


def copy_beside(root, chance):
    path = files(root, chance, chance.choice((".parquet", ".mp4", ".json")))
    shutil.copy(path, path.with_name(path.name.replace("000", chance.choice(("001", "002", "007")))))


def rename(root, chance):
    path = files(root, chance)
    path.rename(
        path.with_name(chance.choice((path.name + ".bak", path.name.replace("000", "003"), "." + path.name)))
    )


def leave_unfinished(root, chance):
    path = files(root, chance)
    path.with_name(path.name + ".partial").write_bytes(path.read_bytes()[: chance.randrange(1000)])


def folder_in_place_of_a_file(root, chance):
    path = files(root, chance)
    path.unlink()
    path.mkdir()


def link_to_nowhere(root, chance):
    path = files(root, chance)
    path.unlink()
    path.symlink_to("nowhere")


def delete_folder(root, chance):
    shutil.rmtree(chance.choice(sorted(p for p in root.rglob("*") if p.is_dir())))


def lock_left(root, chance):
    (root / ".writer.lock").touch()


def journal_of_another_moment(root, chance):
    stream = root / "journal/episodes.arrow"
    content = stream.read_bytes()
    kind = chance.randrange(3)
    if kind == 0:
        stream.write_bytes(content + content)
    elif kind == 1:
        half = chance.randrange(len(content))
        stream.write_bytes(content[half:] + content[:half])
    else:
        place = content.find(b'"crc32"')
        stream.write_bytes(
            content[: place - 60] + bytes(reversed(content[place - 60 : place])) + content[place:]
        )


def edit_json(root, chance):
    path = root / chance.choice(("meta/info.json", "meta/info.json", "meta/info.json", "meta/stats.json"))
    value = json.loads(path.read_text())
    holder, key = _somewhere(value, chance)
    if chance.random() < 0.25:
        del holder[key]
    else:
        holder[key] = chance.choice(NASTY)
    path.write_text(json.dumps(value))


def _somewhere(value, chance):
    """Return a place in nested JSON: what holds it, and its key."""
    while True:
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        key = chance.choice(keys)
        if not isinstance(value[key], (dict, list)) or not value[key] or chance.random() < 0.3:
            return value, key
        value = value[key]


def edit_feature(root, chance):
    path = root / "meta/info.json"
    info = json.loads(path.read_text())
    name = chance.choice(sorted(info["features"]))
    kind = chance.randrange(6)
    if kind == 0:
        info["features"][chance.choice(("../../x", "a/b", "..", "", "two\nlines", "\ud800", "n" * 400))] = (
            info["features"].pop(name)
        )
    elif kind == 1:
        info["features"][name]["shape"] = chance.choice(
            (
                [],
                [0],
                [-3],
                [2**33],
                [2**33, 2**33],
                [30000, 30000, 3],
                [3],
                [1, 1, 1],
                [2, 2],
                "3",
                [True],
                [3.0],
                [16, 24, 3],
                [24, 16, 3],
                [[3]],
            )
        )
    elif kind == 2:
        info["features"][name]["dtype"] = chance.choice(
            (
                "int8",
                "float64",
                "string",
                "bool",
                "image",
                "video",
                "complex64",
                "O",
                "f4,f4",
                "(1000000000,)f4",
                "V8",
                "M8[s]",
                "audio",
                7,
                None,
                ["f4"],
                {},
            )
        )
    elif kind == 3:
        info["features"][name]["names"] = chance.choice((7, "xyz", [], ["a"] * 99, [1, None], {"motors": 3}))
    elif kind == 4:
        info["features"][f"extra.{name}"] = info["features"][name]
    else:
        info["features"][name] = chance.choice(NASTY)
    path.write_text(json.dumps(info))


def edit_pattern(root, chance):
    path = root / "meta/info.json"
    info = json.loads(path.read_text())
    info[chance.choice(("data_path", "video_path"))] = chance.choice((*PATTERNS, *NASTY))
    path.write_text(json.dumps(info))


def edit_counts(root, chance):
    path = root / "meta/info.json"
    info = json.loads(path.read_text())
    key = chance.choice(
        (
            "total_episodes",
            "total_frames",
            "total_tasks",
            "fps",
            "chunks_size",
            "data_files_size_in_mb",
            "video_files_size_in_mb",
        )
    )
    info[key] = chance.choice((*NASTY, info.get(key, 1) + 1, max(0, info.get(key, 1) - 1)))
    path.write_text(json.dumps(info))


def edit_ours(root, chance):
    path = root / "meta/info.json"
    info = json.loads(path.read_text())
    holder, key = _somewhere({"handsight": info["handsight"]}, chance)
    holder[key] = chance.choice(
        (*NASTY, {"streams": 3}, {"facts": {"seed": []}}, {"streams": {"action": {"moves": [], "unit": 3}}})
    )
    if "handsight" in holder:
        info |= holder
    path.write_text(json.dumps(info))


def bury_json(root, chance):
    (root / chance.choice(("meta/info.json", "meta/stats.json"))).write_text(
        chance.choice(("[" * 200_000, '{"a":' * 100_000, "9" * 6000))
    )


def edit_box(root, chance):
    """Change a number in one of an mp4's tables: sizes, counts, times, dimensions."""
    path = files(root, chance, ".mp4")
    content = bytearray(path.read_bytes())
    box = chance.choice(
        (
            b"moov",
            b"mdhd",
            b"mvhd",
            b"tkhd",
            b"stts",
            b"stsz",
            b"stsc",
            b"stco",
            b"stss",
            b"stsd",
            b"ctts",
            b"elst",
            b"avcC",
            b"mdat",
            b"trak",
        )
    )
    place = content.find(box)
    if place < 4:
        return
    if chance.random() < 0.3:
        content[place : place + 4] = chance.choice((b"free", b"xxxx"))
    else:
        at = place + chance.choice((-4, 4, 8, 12, 16, 20, 24, 28, 32))
        content[at : at + 4] = struct.pack(
            ">I", chance.choice((0, 1, 2, 2**31 - 1, 2**32 - 1, 10**6, chance.randrange(2**16)))
        )
    path.write_bytes(content)


def reorder_videos(root, chance):
    """Put another number of frames into a video file."""
    path = files(root, chance, ".mp4")
    if "journal" in path.parts or path.stat().st_size == 0:
        return
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        height, width = stream.height, stream.width
    encode(
        path,
        *chance.choice(((height, width), (height, width), (32, 32))),
        chance.choice((1, 3, 12, 40)),
        chance.choice((10, 30)),
    )


DAMAGES = (
    flip_bits, flip_bits, flip_bits, flip_near_an_end, flip_near_an_end, cut, cut, cut_out, append, delete,
    empty, swap, copy_over, copy_beside, rename, leave_unfinished, folder_in_place_of_a_file,
    link_to_nowhere, delete_folder, lock_left, journal_of_another_moment, edit_json, edit_json,
    edit_feature, edit_feature, edit_pattern, edit_counts, edit_ours, bury_json, *TABLE_DAMAGES, edit_box,
    edit_box, reorder_videos,
)  # fmt: skip

"""Damage to the parquet files of small recordings."""

import struct
import zlib

import pyarrow as pa
import pyarrow.parquet as pq

INTEGERS = (-1, 0, 1, 2, 9, 10**6, 2**31, 2**62, -(2**63))
FLOATS = (-1.0, 0.0, 0.011, 0.25, 7.0, 1e9, 1e300, float("nan"), float("inf"), -float("inf"))


def files(root, chance, ending=""):
    """Return one of a recording's files; of the lock only the name counts."""
    found = [path for path in root.rglob("*") if path.is_file() and not path.is_symlink()]
    found = sorted(path for path in found if path.name.endswith(ending) and path.name != ".writer.lock")
    if not ending and chance.random() < 0.5:  # large files are many; the few that matter most get half
        found = [path for path in found if {"meta", "journal"} & set(path.parts)] or found
    return chance.choice(found)


def edit_table(root, chance):
    """Change a parquet file's columns."""
    path = files(root, chance, ".parquet")
    table = pq.read_table(path)
    number = chance.randrange(table.num_columns)
    kept = [i for i, name in enumerate(table.column_names) if not name.startswith("stats/")]
    number = chance.choice(kept)
    name, column = table.column_names[number], table.column(number)
    edit = chance.choice(
        (drop_column, rename_column, column_twice, retype, retype, spoil, spoil, spoil, nulls)
    )
    pq.write_table(edit(table, number, name, column, chance), path)


def drop_column(table, number, name, column, chance):
    return table.remove_column(number)


def rename_column(table, number, name, column, chance):
    return table.rename_columns(
        [
            *table.column_names[:number],
            chance.choice((name + "?", "", "a\nb", "index", "length")),
            *table.column_names[number + 1 :],
        ]
    )


def column_twice(table, number, name, column, chance):
    return table.append_column(name, column)


def retype(table, number, name, column, chance):
    values, count = column.to_pylist(), len(column)
    new = chance.choice(
        (
            lambda: pa.array([str(v) for v in values]),
            lambda: pa.array([[v] for v in values]),
            lambda: pa.array([{"v": v} for v in values]),
            lambda: pa.array([str(v).encode() + b"\xff" for v in values]),
            lambda: pa.nulls(count),
            lambda: pa.array([str(v) for v in values]).dictionary_encode(),
            lambda: pa.array(range(count), pa.timestamp("ns")),
            lambda: pa.array([i / 7 for i in range(count)], pa.float32()),
            lambda: pa.array([i % 2 == 0 for i in range(count)]),
            lambda: pa.array([2**40 + i for i in range(count)]),
            lambda: column.cast(pa.uint64()),
            lambda: column.cast(pa.float16()),
            lambda: pa.array([b"\xff\xfe"] * count, pa.binary()).view(pa.string()),
        )
    )()
    return table.set_column(number, name, new)


def spoil(table, number, name, column, chance):
    """Put one or two other values into a column, of its own type."""
    values = column.to_pylist()
    for _ in range(chance.choice((1, 1, 2))):
        place = chance.randrange(len(values))
        values[place] = _spoilt(values[place], chance)
    return table.set_column(number, name, pa.array(values, column.type))


def _spoilt(value, chance):
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return chance.choice(INTEGERS)
    if isinstance(value, float):
        return chance.choice(FLOATS)
    if isinstance(value, str):
        return chance.choice(("", "dance", "val", "two\nlines", "x" * 3000))
    if isinstance(value, list) and value:
        place = chance.randrange(len(value))
        return [*value[:place], _spoilt(value[place], chance), *value[place + 1 :]]
    if isinstance(value, dict) and "bytes" in value:
        return _spoilt_picture(value, chance)
    return None


def _spoilt_picture(value, chance):
    encoded = value["bytes"]
    bombs = (
        encoded[: chance.randrange(len(encoded))],
        encoded[:40] + b"\xff" * 20 + encoded[60:],
        _png_header(encoded, 2**31 - 1, 2**31 - 1),
        _png_header(encoded, 60_000, 60_000),
        _png_header(encoded, 30_000, 30_000),
        b"GIF89a\xff\xff\xff\xff\0\0\0",
        b"BM" + struct.pack("<IHHIIiiHHIIiiII", 100, 0, 0, 54, 40, 20_000, 20_000, 1, 24, 0, 0, 0, 0, 0, 0),
        b"\xff\xd8\xff\xe0",
        b"no",
        b"",
        None,
    )
    places = (
        "/etc/passwd",
        "/dev/zero",
        "../../../../etc/hostname",
        "x" * 5000,
        "a\0b",
        "data/chunk-000/file-000.parquet",
        ".",
    )
    return {"bytes": chance.choice(bombs), "path": chance.choice((value.get("path"), chance.choice(places)))}


def _png_header(encoded, width, height):
    header = b"IHDR" + struct.pack(">II", width, height) + encoded[24:29]
    return encoded[:12] + header + struct.pack(">I", zlib.crc32(header)) + encoded[33:]


def nulls(table, number, name, column, chance):
    values = column.to_pylist()
    values[chance.randrange(len(values))] = None
    return table.set_column(number, name, pa.array(values, column.type))


def edit_rows(root, chance):
    path = files(root, chance, ".parquet")
    table = pq.read_table(path)
    rows = list(range(table.num_rows))
    kind = chance.randrange(6)
    if kind == 0:
        del rows[chance.randrange(len(rows)) :]
    elif kind == 1:
        del rows[chance.randrange(len(rows))]
    elif kind == 2:
        rows.insert(chance.randrange(len(rows)), chance.randrange(len(rows)))
    elif kind == 3:
        chance.shuffle(rows)
    elif kind == 4:
        rows = rows + rows
    else:
        rows.reverse()
    pq.write_table(table.take(rows), path, row_group_size=chance.choice((1, 3, 1000)))


def edit_schema_words(root, chance):
    path = files(root, chance, ".parquet")
    table = pq.read_table(path)
    words = chance.choice(
        (
            b"",
            b"{",
            b"[]",
            b'{"index_columns": [7], "columns": 3}',
            b'{"index_columns": ["none"], "columns": [], "column_indexes": []}',
            b"\xff",
        )
    )
    pq.write_table(table.replace_schema_metadata({chance.choice((b"pandas", b"huggingface")): words}), path)


TABLE_DAMAGES = (*[edit_table] * 4, *[edit_rows] * 2, edit_schema_words)

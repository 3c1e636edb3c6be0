#!/usr/bin/env python3
"""Makes the Arrow files of this folder anew, with pyarrow and Polars as their writers (pip install pyarrow polars), and beside each what pyarrow reads in
it: NAME.txt, one row a line, cells joined by "|", spelled as src/arrow/value.h spells them, "-" for NULL. usage: make.py [FOLDER]"""
import datetime
import decimal
import os
import random
import sys

import polars as pl
import pyarrow as pa
import pyarrow.feather
import pyarrow.ipc as ipc

FOLDER = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
WORDS = ["", "a", "\u00e9\u6f22\U0001f600", "tab\there", "a longer text that stands for many others", None, "z"]
INDICES = [pa.int8(), pa.uint8(), pa.int16(), pa.uint16(), pa.int32(), pa.uint32(), pa.int64(), pa.uint64()]


def cell(v):
    if v is None:
        return "-"
    if isinstance(v, bool):
        return "true" if v else "false"
    if isinstance(v, bytes):
        return "\\x" + v.hex()
    if isinstance(v, float):
        return repr(v)[:-2] if v == int(v) else repr(v)
    return str(v)


def expect(name, table):
    rows = zip(*(c.to_pylist() for c in table.columns), strict=True)
    with open(os.path.join(FOLDER, name + ".txt"), "w", encoding="utf-8", newline="") as f:
        f.writelines("|".join(map(cell, r)) + "\n" for r in rows)


def read_back(name):
    path = os.path.join(FOLDER, name)
    opened = ipc.open_stream(path) if name.endswith("s") else ipc.open_file(path)
    expect(name, opened.read_all())


def write(name, batches, options=None):
    path = os.path.join(FOLDER, name)
    new = ipc.new_stream if name.endswith("s") else ipc.new_file
    with new(path, batches[0].schema, options=options or ipc.IpcWriteOptions()) as w:
        for b in batches:
            w.write_batch(b)
    read_back(name)


def plain(n, seed):
    r = random.Random(seed)
    day = datetime.date(1970, 1, 1)
    some = lambda make: [make() if r.random() > 0.2 else None for _ in range(n)]  # noqa: E731
    return pa.table({
        "id": pa.array(range(n), pa.int64()),
        "small": pa.array(some(lambda: r.randrange(-30000, 30000)), pa.int16()),
        "flag": pa.array(some(lambda: r.random() < 0.5), pa.bool_()),
        "all": pa.array([r.random() < 0.5 for _ in range(n)], pa.bool_()),
        "real": pa.array(some(lambda: r.randrange(-1000, 1000) / 8), pa.float64()),
        "day": pa.array(some(lambda: day + datetime.timedelta(r.randrange(-30000, 30000))), pa.date32()),
        "money": pa.array(some(lambda: decimal.Decimal(r.randrange(-(10**9), 10**9)).scaleb(-2)), pa.decimal128(20, 2)),
        "text": pa.array([r.choice(WORDS) for _ in range(n)], pa.string()),
        "large": pa.array([r.choice(WORDS) for _ in range(n)], pa.large_string()),
        "raw": pa.array(some(lambda: r.randbytes(r.randrange(0, 20))), pa.binary()),
        "fixed": pa.array(some(lambda: r.randbytes(5)), pa.binary(5)),
        "nothing": pa.array([None] * n, pa.int32()),
    })


def coded():
    """Every width of indices, every kind of values, NULL as a row and as an entry."""
    texts = pa.array(WORDS)
    columns = {}
    for t in INDICES:
        columns[f"by_{t}"] = pa.DictionaryArray.from_arrays(pa.array([i % 8 if i % 8 != 7 else None for i in range(40)], t).cast(t), texts.slice(0, 7))
    many = pa.array([f"entry {i}" for i in range(250)])
    columns["high"] = pa.DictionaryArray.from_arrays(pa.array([249 - i for i in range(40)], pa.uint8()), many)
    day = datetime.date(2024, 2, 29)
    for name, values in {
        "large": pa.array(["x", None, "yy"], pa.large_string()),
        "raw": pa.array([b"", b"\0\xff", b"abc"], pa.binary()),
        "fixed": pa.array([b"abc", None, b"\0\0\0"], pa.binary(3)),
        "number": pa.array([-(2**63), 0, 2**63 - 1], pa.int64()),
        "tiny": pa.array([-128, 127, None], pa.int8()),
        "flag": pa.array([True, None, False], pa.bool_()),
        "real": pa.array([1.5, -0.25, None], pa.float32()),
        "money": pa.array([decimal.Decimal("1.50"), decimal.Decimal("-99999.99"), None], pa.decimal128(10, 2)),
        "day": pa.array([day, None, datetime.date(1, 1, 1)], pa.date64()),
        "plain": pa.array([day, datetime.date(9999, 12, 31), None], pa.date32()),
    }.items():
        columns["of_" + name] = pa.DictionaryArray.from_arrays(pa.array([(i * 7) % 3 if i % 5 else None for i in range(40)], pa.int8()), values)
    columns["empty"] = pa.DictionaryArray.from_arrays(pa.array([None] * 40, pa.int32()), pa.array([], pa.string()))
    columns["number"] = pa.array(range(40), pa.int32())
    return pa.RecordBatch.from_pydict(columns)


def growing(*lists):
    """Batches whose dictionaries are these lists; each row names an entry, the last one first."""
    schema = pa.schema([("id", pa.int32()), ("d", pa.dictionary(pa.int8(), pa.string())), ("e", pa.dictionary(pa.int16(), pa.int64()))])
    for at, values in enumerate(lists):
        n = len(values)
        indices = pa.array([None if i == 2 else n - 1 - i for i in range(n)], pa.int8())
        d = pa.DictionaryArray.from_arrays(indices, pa.array(values, pa.string()))
        e = pa.DictionaryArray.from_arrays(pa.array([i % 2 for i in range(n)], pa.int16()), pa.array([10, 20], pa.int64()))
        yield pa.RecordBatch.from_arrays([pa.array(range(at * 100, at * 100 + n), pa.int32()), d, e], schema=schema)


def views():
    """Short and long texts, in several buffers, in no order."""
    texts = [None if i % 11 == 0 else f"{i}" if i % 3 else f"a text that is long enough to stand elsewhere, {i}" for i in range(60)]
    parts = [pa.array(texts[at : at + 20], pa.string_view()) for at in range(0, 60, 20)]
    whole = pa.concat_arrays(parts)
    back = [None if t is None else t.encode() for t in texts]
    return pa.RecordBatch.from_pydict({"id": pa.array(range(60)), "text": whole, "moved": pa.concat_arrays([whole.slice(35), whole.slice(0, 35)]),
        "raw": pa.array(back, pa.binary_view()), "last": pa.array(range(60), pa.int16())})


def large(n=100000):
    """One batch of many slices; test_ipc.c knows the rows by their number."""
    return pa.RecordBatch.from_pydict({
        "n": pa.array([i % 1000 for i in range(n)], pa.int32()),
        "flag": pa.array([None if i % 7 == 0 else i % 3 == 0 for i in range(n)], pa.bool_()),
        "text": pa.array([None if i % 5 == 0 else f"row {i % 1000}" for i in range(n)], pa.string()),
        "code": pa.DictionaryArray.from_arrays(pa.array([i % 1000 for i in range(n)], pa.int32()), pa.array([f"code {i}" * 20 for i in range(1000)])),
    })


def bomb(path, n=150_000_000):
    """1.2 GB of zeros in 40 KB."""
    values = pa.Array.from_buffers(pa.int64(), n, [None, pa.py_buffer(bytes(8 * n))])
    with ipc.new_stream(path, pa.schema([("n", pa.int64())]), options=ipc.IpcWriteOptions(compression=pa.Codec("zstd", 9))) as w:
        w.write_batch(pa.RecordBatch.from_arrays([values], names=["n"]))


def main():
    lz4, zstd = (ipc.IpcWriteOptions(compression=c) for c in ("lz4", "zstd"))
    table = plain(300, 1)
    pa.feather.write_feather(table, os.path.join(FOLDER, "default.feather"), chunksize=128)
    expect("default.feather", pa.feather.read_table(os.path.join(FOLDER, "default.feather")))
    write("zstd.arrows", table.to_batches(max_chunksize=100), zstd)
    write("coded.arrow", [coded()])
    write("coded_lz4.arrows", [coded()], lz4)
    write("delta.arrows", list(growing(["a", "b"], ["a", "b", "c", ""], ["a", "b", "c", "", "\u00e9"])), ipc.IpcWriteOptions(emit_dictionary_deltas=True))
    write("delta.arrow", list(growing(["a", "b"], ["a", "b", "c", ""], ["a", "b", "c", "", "\u00e9"])), ipc.IpcWriteOptions(emit_dictionary_deltas=True, compression="zstd"))
    write("replaced.arrows", list(growing(["a", "b", "c", "d"], ["x", "y"], ["a", "b", "c", "d"], ["q"])))
    write("views.arrows", [views()])
    write("views_zstd.arrow", [views()], zstd)
    for codec in ("lz4", "zstd"):
        frame = pl.DataFrame({"id": range(200), "text": [WORDS[i % 7] for i in range(200)], "kind": pl.Series([WORDS[i % 5] for i in range(200)], dtype=pl.Categorical)})
        name = f"polars_{codec}.arrow"
        frame.write_ipc(os.path.join(FOLDER, name), compression=codec, compat_level=pl.CompatLevel.oldest())
        read_back(name)
        frame.with_columns(long=pl.col("text").fill_null("none") + " and more than twelve bytes").write_ipc(os.path.join(FOLDER, "polars_views_" + codec + ".arrow"), compression=codec)
        read_back(f"polars_views_{codec}.arrow")
    with ipc.new_file(os.path.join(FOLDER, "large.arrow"), large(1).schema, options=ipc.IpcWriteOptions(compression=pa.Codec("zstd", 19))) as w:
        w.write_batch(large())
    bomb(os.path.join(FOLDER, "bomb.arrows"))


main()

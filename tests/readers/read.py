"""Reads what odd-bodies stored with DuckDB, polars and pyarrow: each file alone, and strictly.

What is stored must be read by all of them, with and without explicit columns. What was refused is
read as well: of each reason that stands for readers, one must fail somewhere, or the bodies show
nothing; and how many all readers would have taken is told, for information.
"""

import collections
import datetime
import json
import math
import pathlib
import re
import sys

import duckdb
import polars
import pyarrow
import pyarrow.json

COLUMNS = {
    "request_id": ("VARCHAR", polars.String, pyarrow.string()),
    "store_id": ("BIGINT", polars.Int64, pyarrow.int64()),
    "cust_id": ("BIGINT", polars.Int64, pyarrow.int64()),
    "category": ("VARCHAR", polars.String, pyarrow.string()),
    "sku": ("BIGINT", polars.Int64, pyarrow.int64()),
    "price": ("DOUBLE", polars.Float64, pyarrow.float64()),
    "qty": ("BIGINT", polars.Int64, pyarrow.int64()),
    "discount": ("DOUBLE", polars.Float64, pyarrow.float64()),
    "gift_wrap": ("BOOLEAN", polars.Boolean, pyarrow.bool_()),
    "variant": ("VARCHAR", polars.String, pyarrow.string()),
    "priority_shipping": ("BOOLEAN", polars.Boolean, pyarrow.bool_()),
    "ts": ("TIMESTAMP", polars.Datetime("us"), pyarrow.timestamp("ns")),
    "is_return": ("BOOLEAN", polars.Boolean, pyarrow.bool_()),
}
# What only Athena minds, at the top level, has no reader here: but elsewhere DuckDB does.
OF_READERS = {"lone_surrogate", "too_deep", "duplicate_key", "case_conflict", "empty_key", "mixed_types", "out_of_range"}

duck = duckdb.connect()
duck.execute("set threads = 1")
duck_columns = ", ".join(f"{name}: '{kinds[0]}'" for name, kinds in COLUMNS.items())
polars_schema = {name: kinds[1] for name, kinds in COLUMNS.items()}
arrow_explicit = pyarrow.json.ParseOptions(
    explicit_schema=pyarrow.schema([(name, kinds[2]) for name, kinds in COLUMNS.items()]),
    unexpected_field_behavior="ignore",
)


def one(rows):
    assert len(rows) == 1, f"{len(rows)} rows"
    return rows[0]


def duckdb_detects(path):
    # By name: with columns detected wrongly these are not there.
    return dict(zip(("request_id", "qty"), one(duck.execute(f"select request_id, qty from read_json('{path}')").fetchall())))


def duckdb_all(path):
    one(duck.execute(f"select * from read_json('{path}')").fetchall())


def duckdb_explicit(path):
    query = f"select {', '.join(COLUMNS)} from read_json('{path}', columns = {{{duck_columns}}})"
    return dict(zip(COLUMNS, one(duck.execute(query).fetchall())))


def is_lines(path):
    """An object of one event may have line ends within: then it is read as one document."""
    return path.suffix != ".json" or not re.search(rb"[\r\n]", path.read_bytes().strip())


def polars_detects(path):
    if not is_lines(path):
        return
    frame = polars.read_ndjson(path)
    return {name: one(frame[name].to_list()) for name in ("request_id", "qty")}


def polars_explicit(path):
    if not is_lines(path):
        return
    return one(polars.scan_ndjson(path, schema=polars_schema).collect().to_dicts())


def arrow_table(path, **options):
    if path.suffix not in (".gz", ".zst"):
        return pyarrow.json.read_json(path, **options)
    with pyarrow.input_stream(str(path), compression="gzip" if path.suffix == ".gz" else "zstd") as lines:
        return pyarrow.json.read_json(lines, **options)


def pyarrow_detects(path):
    table = arrow_table(path).select(["request_id", "qty"])
    return one(table.to_pylist())


def pyarrow_explicit(path):
    table = arrow_table(path, parse_options=arrow_explicit)
    # Python's times have no nanoseconds.
    place = table.column_names.index("ts")
    table = table.set_column(place, "ts", table["ts"].cast(pyarrow.timestamp("us"), safe=False))
    return one(table.to_pylist())


READERS = [duckdb_detects, duckdb_all, duckdb_explicit, polars_detects, polars_explicit, pyarrow_detects, pyarrow_explicit]


def compare(reader, row, events):
    """What differs from what the event said."""
    event = events[row["request_id"]]
    for name, value in row.items():
        if name == "request_id":
            continue
        said = event[name]
        if name == "ts":
            said = datetime.datetime.fromisoformat(said)
            # With an offset, all but DuckDB give the time in UTC.
            if reader is not duckdb_explicit and abs(value - said) < datetime.timedelta(days=1):
                continue
        if name == "is_return":
            value = bool(value)
        if name in ("price", "discount") and math.isclose(value, said, rel_tol=1e-15):
            # Our reader of numbers may miss the nearest by one.
            continue
        if value != said:
            return f"{name} is {value!r}, not {said!r}"


def read(path, events=None):
    """The readers that fail, each with what it says."""
    faults = {}
    for reader in READERS:
        try:
            row = reader(path)
            fault = compare(reader, row, events) if row and events else None
        except Exception as error:
            fault = f"{type(error).__name__}: {str(error).splitlines()[0][:200]}"
        if fault:
            faults[reader.__name__] = fault
    return faults


def main(directory):
    events = json.loads((directory / "events.json").read_bytes())
    failed = False
    for layout in ("event", "batch-none", "batch-gzip", "batch-zstd"):
        # As the patterns that are documented, which pass the manifest by.
        files = sorted(path for path in (directory / layout / "store_events").glob("event_type=*/dt=*/*") if path.is_file())
        wrong = 0
        for path in files:
            faults = read(path, events)
            if faults:
                wrong += 1
                if wrong <= 10:
                    print(f"{path.relative_to(directory)}: {faults}")
        print(f"{layout}: {len(files)} files, {wrong} that a reader refuses or reads wrongly")
        failed |= wrong > 0 or not files
        failed |= layout in ("event", "batch-none") and len(files) != len(events)
    shown = set()
    for reason in sorted((directory / "refused").iterdir()):
        by = collections.Counter()
        taken = 0
        bodies = sorted(reason.iterdir())[:60]
        for body in bodies:
            faults = read(body)
            taken += not faults
            by.update({reader.split("_")[0] for reader in faults})
        if by:
            shown.add(reason.name)
        print(f"refused as {reason.name}: of {len(bodies)}, {dict(by)} refuse; {taken} would be taken by all")
    for reason in sorted(OF_READERS - shown):
        print(f"no reader fails on a body that is refused as {reason}: the bodies show nothing")
        failed = True
    return failed


sys.exit(main(pathlib.Path(sys.argv[1])))

#!/usr/bin/env python3
"""Whether chips.parquet says what chips.csv says, in the libraries that people open it with.

    cargo run --features parquet -- sweep EXPERIMENT.toml --out DIR
    python3 -m venv venv && venv/bin/pip install pandas polars pyarrow duckdb
    venv/bin/python scripts/data_frames.py DIR...

Reads both files of every directory with each of pandas, polars and DuckDB that is installed: the
columns must have the types of docs/sweeps.md and every value must be the same, to the last bit;
null in one file is an empty field in the other. A library that is missing is named (SKIPPED).
`cargo test --features parquet --test report` calls it.
"""

import csv
import struct
import sys
from pathlib import Path

WHOLE = ["point", "chip", "correct", "images", "wafer"]
BOOLEAN = {"true": True, "false": False}


def of_csv(path):
    """The columns of the CSV: int, float or None, and for the fields that the sweep varies, which
    stand between `chip` and `accuracy`, whatever all of their values are."""
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
        names = next(csv.reader([open(path).readline()]))
    axes = names[2 : names.index("accuracy")]
    columns = {}
    for name in names:
        texts = [row[name] for row in rows]
        kinds = [int, float, BOOLEAN.__getitem__, str] if name in axes else [float]
        for kind in [int] if name in WHOLE else kinds:
            try:
                columns[name] = [kind(text) if text else None for text in texts]
                break
            except (ValueError, KeyError):
                continue
    return columns


def of_pandas(path):
    import pandas

    frame = pandas.read_parquet(path)
    types = {name: str(dtype) for name, dtype in frame.dtypes.items()}
    # pandas has no null among floats, it reads them as NaN.
    plain = {name: [None if x != x else x for x in frame[name].tolist()] for name in frame.columns}
    return plain, types, ("int64", "float64")


def of_polars(path):
    import polars

    frame = polars.read_parquet(path)
    types = {name: str(dtype) for name, dtype in frame.schema.items()}
    return frame.to_dict(as_series=False), types, ("Int64", "Float64")


def of_duckdb(path):
    import duckdb

    found = duckdb.connect().execute("SELECT * FROM read_parquet(?)", [str(path)])
    types = {column[0]: str(column[1]) for column in found.description}
    columns = zip(*found.fetchall())
    plain = {name: list(values) for name, values in zip(types, columns)}
    return {name: plain.get(name, []) for name in types}, types, ("BIGINT", "DOUBLE")


def bits(x):
    return struct.pack("<d", x) if isinstance(x, float) else x


def check(library, read, dirs):
    rows = 0
    for directory in dirs:
        wanted = of_csv(directory / "chips.csv")
        found, types, (whole, real) = read(directory / "chips.parquet")
        assert list(found) == list(wanted), f"{directory}: columns {list(found)}"
        for name, values in wanted.items():
            type_ = whole if name in WHOLE else real
            axis = name in list(wanted)[2 : list(wanted).index("accuracy")]
            assert axis or types[name] == type_, f"{directory}: {name} is {types[name]}, not {type_}"
            assert len(found[name]) == len(values), f"{directory}: {name}: {len(found[name])} rows"
            for row, (a, b) in enumerate(zip(values, found[name])):
                # A column of whole numbers and others has decimals in one of the files only.
                a = float(a) if axis and isinstance(b, float) and isinstance(a, int) else a
                assert type(a) is type(b) and bits(a) == bits(b), (
                    f"{directory}: {name}, row {row}: {a!r} in CSV, {b!r} in Parquet"
                )
        rows += len(values)
    print(f"ok {library.__name__} {library.__version__}: {len(dirs)} files, {rows} rows")


def main():
    dirs = [Path(arg) for arg in sys.argv[1:]]
    if not dirs:
        sys.exit(__doc__)
    for name, read in [("pandas", of_pandas), ("polars", of_polars), ("duckdb", of_duckdb)]:
        try:
            library = __import__(name)
            if name == "pandas":
                __import__("pyarrow")
        except ImportError as e:
            print(f"SKIPPED {name}: {e}")
            continue
        check(library, read, dirs)


if __name__ == "__main__":
    main()

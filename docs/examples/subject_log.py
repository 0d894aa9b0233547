"""Prints what a subject wrote that was no protocol line: python subject_log.py RUN legacy|new|legacy2"""

import sys
from pathlib import Path

from pyarrow import parquet

run, role = sys.argv[1:]
if not (Path(run) / "events" / f"{role}.parquet").is_file():
    sys.exit(f"{run} holds nothing of {role}")
table = parquet.read_table(Path(run) / "events" / f"{role}.parquet", columns=["leg", "k", "body"])
for row in table.to_pylist():
    if row["k"] == "log":
        sys.stdout.write(f"{row['leg']}: {row['body'].decode(errors='replace')}\n")

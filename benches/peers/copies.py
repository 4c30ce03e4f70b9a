"""Fills a state file with copies of its ended runs under other names: `python3 copies.py FILE RUNS`.

A million runs of its own take heal half an hour. A copy has the same rows in every table, and new names: `many-7` becomes `c3fe0c7-many-7`. Names are in
no order, so each row goes where a new run's row would go, wherever in its index that is. Nobody may work on the file.
"""

import hashlib
import os
import sqlite3
import sys

# (table, column) that has a run's name, by which it is found.
NAMES = [("run", "run_id"), ("run", "incident_id"), ("dedupe", "key"), ("dedupe", "run_id"), ("cooldown", "target"), ("cooldown", "by_attempt")]
# In the order of their references; each with the column that numbers its rows, or None.
TABLES = {"run": "no", "event_commit": None, "claim": "no", "cooldown": "no", "dedupe": None}


def name(text: str, copy: int) -> str:
    prefix = hashlib.sha256(f"{copy} {text}".encode()).hexdigest()[:7]
    kind, at, rest = text.rpartition(":") if text.startswith("remediation:") else ("", "", text)
    return f"{kind}{at}c{prefix}-{rest}"


def select(connection: sqlite3.Connection, table: str) -> str:
    """The statement that copies `table`; its parameters are the copy and how far each number moves."""
    columns = []
    for _, column, *_ in connection.execute(f"PRAGMA table_info({table})"):
        if (table, column) in NAMES:
            columns.append(f"name({column}, :copy)")
        elif column == TABLES[table]:
            columns.append(f"{column} + :copy * (SELECT max({column}) FROM source.{table})")
        elif column == "run_no":
            columns.append(f"{column} + :copy * (SELECT max(no) FROM source.run)")
        else:
            columns.append(column)
    return f"INSERT INTO main.{table} SELECT {', '.join(columns)} FROM source.{table}"


def main() -> None:
    path, goal = sys.argv[1], int(sys.argv[2])
    with sqlite3.connect(path) as connection:
        connection.execute("VACUUM INTO ?", [f"{path}.source"])
    connection = sqlite3.connect(path, isolation_level=None)
    connection.create_function("name", 2, name, deterministic=True)
    for pragma in ("synchronous = OFF", "cache_size = -1000000", "foreign_keys = OFF"):
        connection.execute(f"PRAGMA {pragma}")
    connection.execute("ATTACH ? AS source", [f"{path}.source"])
    (runs,) = connection.execute("SELECT count(*) FROM source.run").fetchone()
    for copy in range(1, goal // runs):
        connection.execute("BEGIN")
        for table in TABLES:
            connection.execute(select(connection, table), {"copy": copy})
        connection.execute("COMMIT")
        print(f"{(copy + 1) * runs} runs are stored", file=sys.stderr)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.execute("DETACH source")
    os.remove(f"{path}.source")
    print(connection.execute("SELECT count(*) FROM run").fetchone()[0])
    connection.close()
    # What was written is on the disk before anything is timed.
    os.sync()


if __name__ == "__main__":
    main()

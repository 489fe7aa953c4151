"""Stores with values of wrong types in any column of any table, or in any field of a record's JSON."""

from __future__ import annotations

import copy
import json
import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from made_up_records import ACOT, COT, Point, curve, extrapolation, saturation, search, trial

from ib_bench.results.database import checksum
from ib_bench.results.identity import PROTOCOL_VERSION, key_of
from ib_bench.results.kinds import record_kinds
from ib_bench.results.records import Record
from ib_bench.results.run_status import RunningJob, RunStatus, put_run_status
from ib_bench.results.store import Store

VALUES: list[Any] = [
    *(None, True, False, 0, -1, 1, 2**31, 2**63, 10**30, 0.5, -1.0, 1e308, "", "x", "1", "null", [], {}, [1], [None]),
    *([[1, 2]], {"a": 1}, {"": None}, "x" * 1000, "\x1b[31m", "a\nb", "\ud800", "\0", "2026-01-01", "NaN", [[]], [{}]),
    *("ib_bench.models.LSTM", ".", "a.b", "..", "2026-01-01T00:00:00+00:00", [0.5], ["x"], {"class_path": 5}),
]
COLUMNS: list[Any] = [None, 0, -1, 1.5, 2**62, "", "x", b"", b"\xff\x00", "{}", "[]", "null", "1", "x" * 10_000]


def write_sound(path: Path) -> None:
    """A store with a few records of each kind, and a running command."""
    points = [Point(model, ACOT, modulus=modulus) for model in ("LSTM", "DenseSSM") for modulus in (3, 5)]
    records: list[Record] = []
    for point in points:
        exhausted = search(point, None, max_size=20)
        records += [search(point, 64), trial(point, 4096), extrapolation(point, 0.9), curve(point, 50.0)]
        records += [saturation(exhausted, 20, True)]
    cot = Point("Transformer", COT)
    records += [search(cot, None), extrapolation(cot, 0.5), curve(cot, 1e9)]
    now = "2026-01-01T00:00:00+00:00"
    job = RunningJob("a", "here:1", now, 4, 1, 2, 0, 3, 1, 2, 0.5)
    status = RunStatus("ib-bench run", "here", 1, "inline", "searches", now, now, "running", 3, 1, jobs=[job])
    with Store(path) as store:
        store.add_all(records)
        put_run_status(store, status)


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where something is, inside of plain data."""
    found = [path] if path else []
    if isinstance(value, dict | list):
        for key, one in value.items() if isinstance(value, dict) else enumerate(value):
            found += paths(one, (*path, key))
    return found


@dataclass(frozen=True)
class Damage:
    """What is changed; numbers are taken modulo what there is.

    Attributes:
        table: number of the table; a negative one is that of running commands.
        row: number of its row.
        column: which one, or ``json`` for a field in the record.
        place: number of the field.
        value: number of the value that it gets.
        how: ``set``, ``drop`` or ``add``.
        rekey: give the record the key of its changed config.
    """

    table: int
    row: int
    column: str
    place: int
    value: int
    how: str
    rekey: bool


_number = st.integers(0, 10_000)
damages = st.lists(
    st.builds(
        Damage,
        table=st.integers(-2_000, 10_000),
        row=_number,
        column=st.sampled_from(["json"] * 4 + ["key", "record", "checksum", "finished"]),
        place=_number,
        value=_number,
        how=st.sampled_from(["set", "set", "drop", "add"]),
        rekey=st.booleans(),
    ),
    min_size=1,
    max_size=4,
)


def write_damaged(sound: Path, path: Path, changes: Sequence[Damage]) -> str:
    """Copy a sound store and change it; says how."""
    shutil.copy(sound, path)
    connection = sqlite3.connect(path)
    tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
    said = []
    with connection:
        for change in changes:
            table = "runs" if change.table < 0 else tables[change.table % len(tables)]
            rows = connection.execute(f"SELECT rowid, key, record FROM {table}").fetchall()
            names = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
            rowid, key, record = rows[change.row % len(rows)]
            values = _in_json(change, table, key, record) if change.column == "json" else _in_column(change)
            given = {name: value for name, value in values.items() if name in names}
            said.append(f"{table}: {change} {given}"[:300])
            sets = ", ".join(f"{name} = ?" for name in given) or "key = key"
            with suppress(sqlite3.IntegrityError, UnicodeEncodeError):  # the schema or SQLite forbids it
                connection.execute(f"UPDATE {table} SET {sets} WHERE rowid = ?", (*given.values(), rowid))
    connection.close()
    return "; ".join(said)


def _in_column(change: Damage) -> dict[str, Any]:
    return {change.column: COLUMNS[change.value % len(COLUMNS)]}


def _in_json(change: Damage, table: str, key: Any, record: Any) -> dict[str, Any]:
    """The columns of a row whose record is changed; its checksum fits."""
    try:
        plain = json.loads(record)
    except (TypeError, ValueError):  # an earlier change has made it none
        return {}
    everywhere = paths(plain)
    if not everywhere:
        return {}
    value = copy.deepcopy(VALUES[change.value % len(VALUES)])
    _change(plain, everywhere[change.place % len(everywhere)], value, change.how)
    classes = {kind.table: kind for kind in record_kinds()}
    if change.rekey and table in classes and isinstance(plain, dict):
        key = _rekeyed(plain, classes[table]) or key
    text = json.dumps(plain)
    columns: dict[str, Any] = {"key": key, "record": text}
    if isinstance(key, str):
        columns["checksum"] = checksum(key.encode(errors="replace"), text.encode())
    return columns


def _change(plain: Any, path: tuple[Any, ...], value: Any, how: str) -> None:
    *way, last = path
    for key in way:
        plain = plain[key]
    if how == "drop":
        del plain[last]
    elif how == "set":
        plain[last] = value
    elif isinstance(plain, dict):
        plain["added"] = value
    else:
        plain.append(value)


def _rekeyed(plain: Any, kind: type[Record]) -> str | None:
    """Give a record the key of its config, as a program would that writes records of its own."""
    name = kind.__annotations__.get("config")
    if "config" not in plain or name is None:
        return None
    try:
        plain["key"] = key_of(name if isinstance(name, str) else name.__name__, plain["config"], PROTOCOL_VERSION)
    except (TypeError, ValueError):
        return None
    return str(plain["key"])

"""The SQLite file below a store: how it is opened and upgraded, and its errors.

Write-ahead logging lets several processes of one machine share the file. A version 1 store, whose records have no
checksums, gets them when it is opened, in one transaction.
"""

from __future__ import annotations

import os
import shlex
import sqlite3
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from ib_bench.errors import DamagedStoreError, StoreError

SCHEMA_VERSION = 2
IN_MEMORY = ":memory:"
"""Path of a store that is no file, and is gone with its connection."""

_VERSION_1_TABLES = ("trials", "searches", "extrapolations")

_APPLICATION_ID = 0x1BBE7C40  # in the file's header, so that another program's database is not mistaken for a store
_MIN_SIZE = 512  # bytes of the smallest SQLite database
_LOCK_TIMEOUT_S = 60.0
_EXCLUSIVE_TIMEOUT_S = 2.0
_NEVER_FITS = -1  # no checksum of any record

_RUNS = "CREATE TABLE IF NOT EXISTS runs (key TEXT PRIMARY KEY, record TEXT NOT NULL)"
_RECORDS = "(key TEXT PRIMARY KEY, record TEXT NOT NULL, checksum INTEGER NOT NULL)"
_SCHEMA = f"CREATE TABLE trials {_RECORDS};{_RUNS}"
"""What every store has; the table of a quantity is made with its first record."""


def checksum(key: bytes, text: bytes) -> int:
    """CRC-32 of a record and the key that it is kept under, in 0..2^32-1."""
    return zlib.crc32(text, zlib.crc32(key))


def is_database(path: Path | str) -> bool:
    """Whether a file is an SQLite database, sound or damaged.

    SQLite says so. Were the file opened here, closing it again would release all locks that this process holds on it,
    those of SQLite's connections included; another process could then take the file apart.

    Args:
        path: of any file, which need not exist.

    Reference: https://sqlite.org/howtocorrupt.html, section 2.2
    """
    if _size(path) < _MIN_SIZE:
        return False
    try:
        with closing(sqlite3.connect(f"{Path(path).absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
            connection.execute("PRAGMA schema_version").fetchone()
    except sqlite3.Error as error:
        return "malformed" in str(error)
    return True


class Database:
    """A store's file.

    Args:
        path: of the file.
        create: make it if there is none; otherwise its absence is an error.
        exclusive: let no other process have it open, and be refused where one has.

    Raises:
        StoreError: the path cannot be written, holds something else, or a store of a newer version.
        DamagedStoreError: SQLite cannot make sense of the file.
    """

    def __init__(self, path: Path, create: bool, exclusive: bool = False) -> None:
        self.path = path
        self._timeout_s = _EXCLUSIVE_TIMEOUT_S if exclusive else _LOCK_TIMEOUT_S
        if not create and not path.exists():
            raise StoreError(f"store {str(path)!r} does not exist; a search creates it, or name another with --store")
        size = _size(path)
        if not create and path.is_file() and not size:
            raise damaged(path, "the file is empty")
        if 0 < size < _MIN_SIZE:  # SQLite would take it for an empty database
            raise _explained(path, "file is not a database")
        self._columns: dict[str, set[str]] = {}
        try:
            self._open("", exclusive)
        except DamagedStoreError:
            raise
        except StoreError:
            if create or exclusive or not os.access(path, os.R_OK) or _is_writable(path):
                raise
            has_log = _size(f"{path}-wal") > 0
            self._open("?mode=ro" if has_log else "?mode=ro&immutable=1", exclusive)

    def _open(self, options: str, exclusive: bool) -> None:
        """Connect, and make or upgrade the schema.

        Args:
            options: of SQLite's address of a file, such as ``?mode=ro``.
            exclusive: see the class.
        """
        with self._explaining():  # SQLite would take a relative name that begins with file: for an address
            in_memory = str(self.path) == IN_MEMORY
            address = IN_MEMORY if in_memory else f"{self.path.absolute().as_uri()}{options}"
            self._connection = sqlite3.connect(address, timeout=self._timeout_s, isolation_level=None, uri=True)
        self._connection.text_factory = bytes  # damaged text may not be UTF-8
        try:
            if exclusive:
                self.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._open_schema()
            if exclusive:
                with self.transaction():
                    pass  # takes the lock and keeps it while the file is open
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> Iterator[Any]:
        """The rows of a query, one by one; texts as bytes.

        Raises:
            StoreError: SQLite gives up, at the beginning or at any row.
        """
        with self._explaining():
            yield from self._connection.execute(sql, parameters)

    def row(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        """The first row of a query, or None."""
        with self._explaining():
            return self._connection.execute(sql, parameters).fetchone()

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> int:
        """Run a statement; returns how many rows it has changed."""
        with self._explaining():
            return self._connection.execute(sql, parameters).rowcount

    def has_table(self, name: str) -> bool:
        """Whether there is a table with this name."""
        return bool(self._columns_of(name))

    def make_table(self, name: str) -> set[str]:
        """The columns of a table of records, created if it does not exist; to be called inside a transaction.

        Args:
            name: letters and underscores.
        """
        if not self.has_table(name):
            self.execute(f"CREATE TABLE IF NOT EXISTS {name} {_RECORDS}")
        return self._columns_of(name)

    def _columns_of(self, name: str) -> set[str]:
        """Names of a table's columns, none if it is missing; remembered once it is there."""
        if not self._columns.get(name):
            self._columns[name] = {str(row[1], "utf-8") for row in self.rows(f"PRAGMA table_info({name})")}
        return self._columns[name]

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """A transaction: all writes inside take effect, or none; other processes wait."""
        try:  # around BEGIN too: a signal may come right after it
            self.execute("BEGIN IMMEDIATE")
            yield
            self.execute("COMMIT")
        except BaseException:
            self._columns.clear()  # a table made inside is gone
            if self._connection.in_transaction:  # on a full disk SQLite has ended it by itself
                self._connection.execute("ROLLBACK")
            raise

    def _open_schema(self) -> None:
        if self._pragma("application_id") == 0 and not self._has_tables():
            self._switch_to_wal()
            with self.transaction():
                if not self._has_tables():  # unless another process was faster
                    for statement in _SCHEMA.split(";"):
                        self.execute(statement)
                    self.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
                    self.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        if self._pragma("application_id") != _APPLICATION_ID:
            raise StoreError(f"store {str(self.path)!r} is a database of another program; choose another with --store")
        if self._pragma("user_version") == 1:
            self._add_checksums()
        if (version := self._pragma("user_version")) != SCHEMA_VERSION:
            raise StoreError(
                f"store {str(self.path)!r} has schema version {version}, this ib-bench reads versions up to "
                f"{SCHEMA_VERSION}; open it with the ib-bench that wrote it, or start a new one with --store"
            )

    def _add_checksums(self) -> None:
        """From version 1 to 2; a record that is no JSON any more gets one that does not fit."""
        self._connection.create_function("checksum_of", 2, checksum, deterministic=True)
        with self.transaction():
            if self._pragma("user_version") == 1:  # unless another process was faster
                for table in _VERSION_1_TABLES:
                    self.execute(f"ALTER TABLE {table} ADD COLUMN checksum INTEGER NOT NULL DEFAULT {_NEVER_FITS}")
                    self.execute(
                        f"UPDATE {table} SET checksum = checksum_of(CAST(key AS BLOB), CAST(record AS BLOB))"
                        " WHERE json_valid(record)"
                    )
                self.execute(_RUNS)
                self.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def _switch_to_wal(self) -> None:
        """Switch to write-ahead logging. SQLite does not wait here for a process that does the same, so this does."""
        deadline = time.monotonic() + self._timeout_s
        with self._explaining():
            while True:
                try:
                    self._connection.execute("PRAGMA journal_mode = WAL")
                    return
                except sqlite3.OperationalError as error:
                    if "locked" not in str(error) or time.monotonic() > deadline:
                        raise
                    time.sleep(0.01)

    def _pragma(self, name: str) -> int:
        return int(self.row(f"PRAGMA {name}")[0])

    def _has_tables(self) -> bool:
        return bool(self.row("SELECT count(*) FROM sqlite_master")[0])

    @contextmanager
    def _explaining(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise _explained(self.path, str(error)) from error
        except UnicodeDecodeError as error:  # Python cannot decode the message, which quotes damaged text
            raise damaged(self.path, "malformed database schema") from error


def _is_writable(path: Path) -> bool:
    """Whether SQLite can write a file, and make its own files beside it."""
    return os.access(path, os.W_OK) and os.access(path.absolute().parent, os.W_OK)


def _size(path: str | Path) -> int:
    """Of a file, in bytes; 0 if there is none."""
    return os.path.getsize(path) if os.path.isfile(path) else 0


def damaged(path: Path, reason: str) -> DamagedStoreError:
    """The error for a file that SQLite cannot make sense of."""
    return DamagedStoreError(f"store {str(path)!r} is damaged ({' '.join(reason.split())}); {recovery(path)}")


def recovery(path: Path) -> str:
    """The advice how to recover the readable part of a damaged file."""
    return (
        "recover what can be read with SQLite's own tool: "
        f"`sqlite3 {shlex.quote(str(path))} .recover | sqlite3 recovered.sqlite`, "
        "then `ib-bench store merge new.sqlite recovered.sqlite` "
        "(use the sqlite3 of sqlite.org: that of Debian and Ubuntu cannot recover)"
    )


def _explained(path: Path, reason: str) -> StoreError:
    """SQLite's reason, with advice."""
    if "malformed" in reason or "no such" in reason:  # tables and columns are always the same
        return damaged(path, reason)
    if "not a database" in reason and path.name.endswith(".jsonl.gz"):
        made = f"`ib-bench store merge new.sqlite {shlex.quote(str(path))}` makes a store of it"
        return StoreError(f"store {str(path)!r} is named as an archive of records; {made}")
    if "not a database" in reason:
        return DamagedStoreError(
            f"store {str(path)!r} cannot be used ({reason}); choose another file with --store, or, if it was a store, "
            f"{recovery(path)}"
        )
    hints = {
        "full": "stored records are kept: make room on the disk and repeat the command",
        "unable to open": "its folder must be there and be writable, or choose another file with --store",
        "readonly": "make the file and its folder writable, or choose another file with --store",
        "locked": "another process uses it; repeat the command when that has ended",
    }
    hint = next((hint for word, hint in hints.items() if word in reason), "choose another file with --store")
    if path.exists() and not _is_writable(path):  # SQLite has several reasons for that
        hint = hints["readonly"]
    return StoreError(f"store {str(path)!r} cannot be used ({reason}); {hint}")

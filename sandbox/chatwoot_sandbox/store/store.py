"""The sandbox's data: SQLite, in memory or in a file."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from chatwoot_sandbox.jobs import Job, Jobs
from chatwoot_sandbox.store.schema import SCHEMA
from chatwoot_sandbox.versions import Version

Row = dict[str, Any]


class Store:
    """One connection. Each statement commits by itself, except in a ``transaction``."""

    def __init__(self, path: str | None, jobs: Jobs, version: Version | None = None) -> None:
        self.version = version or Version()
        self._connection = sqlite3.connect(path or ":memory:", isolation_level=None, check_same_thread=False)
        self._connection.row_factory = sqlite3.Row
        self._jobs = jobs

    @property
    def is_empty(self) -> bool:
        return not self.rows("SELECT name FROM sqlite_master WHERE type = 'table'")

    def create_tables(self) -> None:
        # One by one: executescript would commit the transaction around it.
        for statement in SCHEMA.split(";"):
            self.execute(statement)

    def now(self) -> float:
        """Unix seconds."""
        return self._jobs.now()

    def later(self, job: Job) -> None:
        """Add a job to run after the answer. In a transaction, do this last, when nothing can fail any more."""
        self._jobs.add(job)

    def rows(self, sql: str, *params: Any) -> list[Row]:
        return [dict(row) for row in self._connection.execute(sql, params)]

    def row(self, sql: str, *params: Any) -> Row | None:
        found = self._connection.execute(sql, params).fetchone()
        return None if found is None else dict(found)

    def count(self, sql: str, *params: Any) -> int:
        """The number that a ``SELECT count(*)`` finds."""
        return int(self._connection.execute(sql, params).fetchone()[0])

    def by_id(self, table: str, record_id: object) -> Row | None:
        return self.row(f"SELECT * FROM {table} WHERE id = ?", record_id)  # noqa: S608 - names are ours

    def execute(self, sql: str, *params: Any) -> int:
        """Run a statement; the id of an inserted row."""
        return self._connection.execute(sql, params).lastrowid or 0

    def insert(self, table: str, **values: Any) -> int:
        """Insert a row; its id. Raises sqlite3.IntegrityError where a unique index holds."""
        marks = ", ".join("?" for _ in values)
        sql = f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})"  # noqa: S608 - names are ours
        return self.execute(sql, *values.values())

    def update(self, table: str, row_id: int, **values: Any) -> None:
        sets = ", ".join(f"{name} = ?" for name in values)
        self.execute(f"UPDATE {table} SET {sets} WHERE id = ?", *values.values(), row_id)  # noqa: S608 - names are ours

    @contextmanager
    def transaction(self) -> Generator[None]:
        """All or nothing; one inside another is part of it. Locks at once, since processes may share the file."""
        if self._connection.in_transaction:
            yield
            return
        self.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self.execute("ROLLBACK")
            raise
        self.execute("COMMIT")

    def next_display_id(self, account_id: int) -> int:
        """The next number of a conversation. Taken outside the transaction: after a rollback there is a gap."""
        taken = self.rows(
            "UPDATE accounts SET last_display_id = last_display_id + 1 WHERE id = ? RETURNING last_display_id",
            account_id,
        )
        return int(taken[0]["last_display_id"]) if taken else 0

    def close(self) -> None:
        self._connection.close()

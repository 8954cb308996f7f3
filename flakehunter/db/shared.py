"""Rows that many jobs bring at the same moment, and all refer to: tests, texts of failures, sets of properties.

On PostgreSQL whoever inserts a row that another transaction has inserted waits for the end of that one, which may be a
file of a gigabyte away. So they are inserted in short transactions: those of many files ahead of the long transaction
that refers to them, by `Writer.insert_ahead`; what is found only in the middle of it, apart from it (`locks.apart`).
What no result refers to in the end does no harm: `db prune` removes such texts, and the next ingest finds its tests.
"""

import json
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Protocol

from sqlalchemy import Connection

from flakehunter.db.bulk import Bulk
from flakehunter.db.rows import Batch, CaseRow, Entries, FailureRow, Known
from flakehunter.model import TestIdentity

TESTS_AT_ONCE = 2000
"""Test cases that are inserted in one transaction, which takes some hundredths of a second."""


class Caches(Protocol):
    """What is known of rows that are committed."""

    project: str
    bulk: Bulk
    tests: dict[CaseRow, int]
    failures: dict[tuple[bytes, bytes], int]

    def ids_of_places(self, known: Known) -> list[int | None]:
        """Return the ids of the rows of `known`, as far as they have been asked for."""


@dataclass(slots=True)
class Told:
    """What batches tell of that this process has not seen yet, each once and in the order of the files."""

    tests: dict[CaseRow, None] = field(default_factory=dict)
    failures: dict[tuple[bytes, bytes], FailureRow] = field(default_factory=dict)
    properties: dict[bytes, Entries] = field(default_factory=dict)

    def add(self, caches: Caches, batch: Batch) -> None:
        """Take what is new in a batch."""
        tests: Iterable[CaseRow] = batch.tests
        if batch.known is not None:
            ids, rows = caches.ids_of_places(batch.known), batch.known.rows
            tests = [*tests, *(rows[place] for place in batch.passed if ids[place] is None)]
        self.tests.update((test, None) for test in tests if test not in caches.tests)
        used = {row[4] for row in batch.results}
        for failure in (failure for place, failure in enumerate(batch.failures) if place in used):
            pair = (failure.fingerprint, failure.detail_hash)
            if pair not in caches.failures:
                self.failures[pair] = failure
        self.properties.update(property_set(row.entries) for row in batch.properties)

    def insert(self, connection: Connection, caches: Caches, project_id: int) -> None:
        """Insert it, in transactions of their own that end at once.

        Where there are many tests, each part of them has one. Whoever brings the same at this moment, as workers of a
        fleet do, takes the parts in another order: then each inserts what the other one need not.
        """
        if not (self.tests or self.failures or self.properties):
            return
        tests = list(self.tests)
        parts = [tests[start : start + TESTS_AT_ONCE] for start in range(0, len(tests), TESTS_AT_ONCE)]
        if len(parts) > 1:
            for part in random.sample(parts, len(parts)):
                with connection.begin():
                    ids = ensure_cases(connection, caches, project_id, part, short=True)
                caches.tests.update(ids)
            tests = []
        with connection.begin():
            ids = ensure_cases(connection, caches, project_id, tests, short=True)
            failures = caches.bulk.ensure_failures(connection, list(self.failures.values()), short=True)
            if self.properties:
                caches.bulk.ensure_properties(connection, self.properties, short=True)
        caches.tests.update(ids)
        caches.failures.update(failures)


def ensure_cases(
    connection: Connection, caches: Caches, project_id: int, tests: Sequence[CaseRow], *, short: bool = False
) -> dict[CaseRow, int]:
    """Insert test cases that are not there yet; return the id of each."""
    keys = {test: TestIdentity(caches.project, test.suite, test.classname, test.name).key for test in tests}
    # One row a key, that with a file first. In the order of the file: then the ids of its tests rise, and their
    # results go into the index of results from left to right, in this file and in all later ones.
    rows: dict[bytes, CaseRow] = {}
    for test in tests:
        known = rows.setdefault(keys[test], test)
        if test.file and (not known.file or test.file > known.file):
            rows[keys[test]] = test
    ids = caches.bulk.ensure_tests(connection, project_id, list(rows.items()), short=short)
    return {test: ids[key] for test, key in keys.items()}


def property_set(pairs: Iterable[tuple[str, str]]) -> tuple[bytes, Entries]:
    """Return the hash of properties, by which the same ones are stored once, and what is stored."""
    entries = [[name, value] for name, value in pairs]
    return blake2b(json.dumps(entries).encode(), digest_size=16).digest(), entries

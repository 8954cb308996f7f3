"""Which index serves which query on PostgreSQL, and which partitions it reads: EXPLAIN (ANALYZE, BUFFERS) on made rows.

Rows are made by the server, a month after the other as CI brings them: 500 tests a run, 3 runs an hour, one result in
a hundred a failure. Each query runs three times; the plan of the last one is kept, when what it reads is in memory.

    python benchmarks/postgres_plans.py [--results 2000000] [--months 12] [--write]
"""

import argparse
import re
import sys
from datetime import date
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from sqlalchemy import Connection, create_engine, text

from benchmarks.sections import write_section
from flakehunter.db.partitions import ensure_partition
from tests.databases import running_server

PAGE = Path(__file__).parent.parent / "docs" / "postgresql.md"
TESTS = 500
ONE_YEAR = 2026
RESULTS = """
INSERT INTO results (test_case_id, run_id, artifact_id, attempt, day, outcome, duration_s, failure_id)
SELECT test, run, run, 1, DATE '{first}' + ((run - {start})::bigint * {days} / {runs})::int,
    CASE WHEN (test * 7 + run) % 100 = 0 THEN 'failed' ELSE 'passed' END, 0.1,
    CASE WHEN (test * 7 + run) % 100 = 0 THEN run % 1000 + 1 END
FROM generate_series({start}::bigint, {start} + {runs} - 1) AS run, generate_series(1::bigint, {tests}) AS test
"""
INDEXES = {
    "B-tree": "CREATE INDEX by_artifact ON results (artifact_id)",
    "BRIN": "CREATE INDEX by_artifact ON results USING brin (artifact_id) WITH (pages_per_range = 16)",
}


def queries(runs: int) -> dict[str, str]:
    """Return the queries that flakehunter asks, by what they are for."""
    columns = "SELECT test_case_id, run_id, outcome FROM results"
    middle = runs // 2
    return {
        "the rows of one run (its artifacts)": f"{columns} WHERE artifact_id = {middle}",
        "the rows after the last rollup": f"{columns} WHERE artifact_id > {runs - 20}",
        "one test in all its runs": f"{columns} WHERE test_case_id = 77",
        "one test in the newest runs": f"{columns} WHERE test_case_id = 77 AND run_id > {runs - 200}",
        "the failures of all tests, by text": (
            "SELECT test_case_id, failure_id, count(*) FROM results WHERE failure_id IS NOT NULL GROUP BY 1, 2"
        ),
        "one month": f"{columns} WHERE day >= '{ONE_YEAR}-03-01' AND day < '{ONE_YEAR}-04-01'",
    }


def fill(connection: Connection, results: int, months: int) -> int:
    """Make the rows; return the number of runs."""
    a_month = max(1, results // months // TESTS)
    for month in range(months):
        first = date(ONE_YEAR + month // 12, month % 12 + 1, 1)
        ensure_partition(connection, first)
        values = {"first": first, "start": month * a_month + 1, "runs": a_month, "days": 28, "tests": TESTS}
        connection.execute(text(RESULTS.format(**values)))
        connection.commit()
    return a_month * months


def explained(connection: Connection, query: str) -> str:
    """Return the plan of a query whose pages are in memory."""
    for _ in range(3):
        rows = connection.execute(text(f"EXPLAIN (ANALYZE, BUFFERS, COSTS OFF) {query}")).scalars().all()
    return "\n".join(rows)


def measured(plan: str) -> tuple[float, int, int]:
    """Return milliseconds, pages and partitions of a plan."""
    took = re.search(r"Execution Time: ([\d.]+) ms", plan)
    pages = re.search(r"Buffers: shared hit=(\d+)(?: read=(\d+))?", plan)
    parts = set(re.findall(r"results_\d{4}_\d\d|results_undated", plan))
    return float(took[1]) if took else 0.0, sum(int(n or 0) for n in pages.groups()) if pages else 0, len(parts)


def shortened(plan: str, most: int = 14) -> str:
    """Return the first lines of a plan, which repeats itself for each partition."""
    lines = plan.splitlines()
    if len(lines) <= most:
        return plan
    return "\n".join(
        [*lines[: most - 2], f"   … {len(lines) - most} lines, alike, for the other partitions", *lines[-2:]]
    )


def sizes(connection: Connection) -> dict[str, int]:
    """Return the bytes of all partitions' rows and of each kind of index."""
    found = {"rows": 0}
    query = (
        "SELECT p.relname, pg_relation_size(p.oid), c.relname, pg_relation_size(c.oid) FROM pg_inherits i"
        " JOIN pg_class p ON p.oid = i.inhrelid JOIN pg_index x ON x.indrelid = p.oid"
        " JOIN pg_class c ON c.oid = x.indexrelid WHERE i.inhparent = 'results'::regclass"
    )
    tables = {}
    for table, size, index, index_size in connection.execute(text(query)):
        tables[table] = size
        kind = re.sub(r"^results_(\d{4}_\d\d|undated)_|\d*$", "", index)
        found[kind] = found.get(kind, 0) + index_size
    return found | {"rows": sum(tables.values())}


def main() -> None:
    """Measure, print, and write the page where it is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=int, default=2_000_000)
    parser.add_argument("--months", type=int, default=12)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    with running_server("-c fsync=off -c shared_buffers=1GB -c max_parallel_workers_per_gather=0 -c jit=off") as server:
        url = server.create(tables=True)
        engine = create_engine(url)
        table: dict[str, list[str]] = {}
        plans: list[str] = []
        with engine.connect() as connection:
            connection.execute(text("DROP INDEX ix_results_artifact_id"))
            # Or the partitions, which another connection makes, would wait for us.
            connection.commit()
            runs = fill(connection, options.results, options.months)
            space = {}
            for kind, statement in INDEXES.items():
                connection.execute(text("DROP INDEX IF EXISTS by_artifact"))
                connection.execute(text(statement))
                connection.commit()
                with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as other:
                    other.execute(text("VACUUM ANALYZE results"))
                space[kind] = sizes(connection)
                for name, query in queries(runs).items():
                    plan = explained(connection, query)
                    took, pages, parts = measured(plan)
                    table.setdefault(name, []).append(f"{took:.1f} ms, {pages:,} pages, {parts} partitions")
                    if kind == "B-tree" or "artifact" in query:
                        plans.append(
                            f"{name}, {kind} on `artifact_id`:\n\n    {query}\n\n```text\n{shortened(plan)}\n```"
                        )
                connection.commit()
        engine.dispose()
        server.drop(url)
    count = runs * TESTS
    lines = [f"{count:,} results in {options.months} months, PostgreSQL's own plan, one process.", ""]
    lines += ["| query | B-tree on `artifact_id` | BRIN on `artifact_id` |", "|---|---|---|"]
    lines += [f"| {name} | {' | '.join(cells)} |" for name, cells in table.items()]
    lines += ["", "| bytes a result | B-tree | BRIN |", "|---|--:|--:|"]
    for kind in sorted(space["B-tree"]):
        cells = [f"{space[index].get(kind, 0) / count:.1f}" for index in INDEXES]
        lines.append(f"| {kind.replace('_idx', '')} | {' | '.join(cells)} |")
    print("\n".join(lines))
    print("\n\n".join(plans))
    if options.write:
        write_section(PAGE, "measured", "\n".join(lines))
        write_section(PAGE, "plans", "\n\n".join(plans))


if __name__ == "__main__":
    main()

"""The database: tables, engine, migrations, bulk writes, queries."""

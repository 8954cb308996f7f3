"""Create the tables."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0001"
down_revision: str | None = None
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# Copies, not imports: a migration must not change when the models do.
ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
WORD = sa.String(32)
DOCUMENT = sa.JSON().with_variant(postgresql.JSONB, "postgresql")


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "failures",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(length=16), nullable=False),
        sa.Column("detail_hash", sa.LargeBinary(length=16), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_failures")),
        sa.UniqueConstraint("fingerprint", "detail_hash", name=op.f("uq_failures_fingerprint_detail_hash")),
    )
    op.create_table(
        "projects",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_projects")),
        sa.UniqueConstraint("name", name=op.f("uq_projects_name")),
    )
    op.create_table(
        "runs",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("project_id", ROW_ID, nullable=False),
        sa.Column("provider", sa.String(length=64), nullable=False),
        sa.Column("external_id", sa.String(length=255), nullable=False),
        sa.Column("workflow", sa.String(length=255), nullable=False),
        sa.Column("job", sa.String(length=255), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("commit_sha", sa.String(length=64), nullable=False),
        sa.Column("branch", sa.String(length=255), nullable=False),
        sa.Column("runner", sa.String(length=255), nullable=False),
        sa.Column("os", sa.String(length=64), nullable=False),
        sa.Column("cpus", sa.Integer(), nullable=True),
        sa.Column("parallel", sa.Integer(), nullable=True),
        sa.Column("time_limit_s", sa.Float(), nullable=True),
        sa.Column("started_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_runs_project_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_runs")),
        sa.UniqueConstraint(
            "project_id",
            "provider",
            "external_id",
            "workflow",
            "job",
            "attempt",
            name=op.f("uq_runs_project_id_provider_external_id_workflow_job_attempt"),
        ),
    )
    with op.batch_alter_table("runs", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_runs_commit_sha"), ["commit_sha"], unique=False)

    op.create_table(
        "test_cases",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("project_id", ROW_ID, nullable=False),
        sa.Column("key", sa.LargeBinary(length=16), nullable=False),
        sa.Column("suite", sa.Text(), nullable=False),
        sa.Column("classname", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("framework", sa.String(length=64), nullable=False),
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column("line", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_test_cases_project_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_test_cases")),
        sa.UniqueConstraint("key", name=op.f("uq_test_cases_key")),
    )
    with op.batch_alter_table("test_cases", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_test_cases_project_id"), ["project_id"], unique=False)

    op.create_table(
        "artifacts",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("run_id", ROW_ID, nullable=False),
        sa.Column("sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("format", sa.String(length=64), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("ingested_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_artifacts_run_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_artifacts")),
        sa.UniqueConstraint("run_id", "sha256", name=op.f("uq_artifacts_run_id_sha256")),
    )
    op.create_table(
        "experiments",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("project_id", ROW_ID, nullable=False),
        sa.Column("test_case_id", ROW_ID, nullable=True),
        sa.Column("command", sa.Text(), nullable=False),
        sa.Column("verdict", WORD, nullable=True),
        sa.Column("mechanism", WORD, nullable=True),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.Column("finished_at", MOMENT, nullable=True),
        sa.Column("summary", DOCUMENT, nullable=False),
        sa.Column("machine", DOCUMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_experiments_project_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["test_case_id"], ["test_cases.id"], name=op.f("fk_experiments_test_case_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_experiments")),
    )
    with op.batch_alter_table("experiments", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_experiments_test_case_id"), ["test_case_id"], unique=False)

    op.create_table(
        "findings",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("test_case_id", ROW_ID, nullable=True),
        sa.Column("mechanism", WORD, nullable=False),
        sa.Column("source", WORD, nullable=False),
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column("line", sa.Integer(), nullable=True),
        sa.Column("score", sa.Float(), nullable=False),
        sa.Column("evidence", DOCUMENT, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["test_case_id"], ["test_cases.id"], name=op.f("fk_findings_test_case_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_findings")),
    )
    with op.batch_alter_table("findings", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_findings_test_case_id"), ["test_case_id"], unique=False)

    op.create_table(
        "verdicts",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("test_case_id", ROW_ID, nullable=False),
        sa.Column("verdict", WORD, nullable=False),
        sa.Column("p_flaky", sa.Float(), nullable=False),
        sa.Column("flake_rate", sa.Float(), nullable=False),
        sa.Column("flake_rate_low", sa.Float(), nullable=False),
        sa.Column("flake_rate_high", sa.Float(), nullable=False),
        sa.Column("mechanism", WORD, nullable=True),
        sa.Column("p_mechanism", sa.Float(), nullable=True),
        sa.Column("since_commit", sa.String(length=64), nullable=False),
        sa.Column("evidence", DOCUMENT, nullable=False),
        sa.Column("decided_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["test_case_id"], ["test_cases.id"], name=op.f("fk_verdicts_test_case_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_verdicts")),
        sa.UniqueConstraint("test_case_id", name=op.f("uq_verdicts_test_case_id")),
    )
    op.create_table(
        "artifact_issues",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("artifact_id", ROW_ID, nullable=False),
        sa.Column("position", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("rejected", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["artifact_id"], ["artifacts.id"], name=op.f("fk_artifact_issues_artifact_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_artifact_issues")),
    )
    with op.batch_alter_table("artifact_issues", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_artifact_issues_artifact_id"), ["artifact_id"], unique=False)

    op.create_table(
        "log_events",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("artifact_id", ROW_ID, nullable=False),
        sa.Column("run_id", ROW_ID, nullable=False),
        sa.Column("test_case_id", ROW_ID, nullable=True),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("time", MOMENT, nullable=True),
        sa.Column("kind", WORD, nullable=False),
        sa.Column("pid", sa.Integer(), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["artifact_id"], ["artifacts.id"], name=op.f("fk_log_events_artifact_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_log_events_run_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["test_case_id"], ["test_cases.id"], name=op.f("fk_log_events_test_case_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_log_events")),
    )
    with op.batch_alter_table("log_events", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_log_events_artifact_id"), ["artifact_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_log_events_test_case_id"), ["test_case_id"], unique=False)

    op.create_table(
        "property_sets",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("hash", sa.LargeBinary(length=16), nullable=False),
        sa.Column("entries", DOCUMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_property_sets")),
        sa.UniqueConstraint("hash", name=op.f("uq_property_sets_hash")),
    )
    op.create_table(
        "properties",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("artifact_id", ROW_ID, nullable=False),
        sa.Column("test_case_id", ROW_ID, nullable=True),
        sa.Column("attempt", sa.Integer(), nullable=True),
        sa.Column("suite", sa.Text(), nullable=False),
        sa.Column("set_id", ROW_ID, nullable=False),
        sa.ForeignKeyConstraint(
            ["artifact_id"], ["artifacts.id"], name=op.f("fk_properties_artifact_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["test_case_id"], ["test_cases.id"], name=op.f("fk_properties_test_case_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["set_id"], ["property_sets.id"], name=op.f("fk_properties_set_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_properties")),
    )
    with op.batch_alter_table("properties", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_properties_artifact_id"), ["artifact_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_properties_test_case_id"), ["test_case_id"], unique=False)

    op.create_table(
        "results",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("test_case_id", ROW_ID, nullable=False),
        sa.Column("run_id", ROW_ID, nullable=False),
        sa.Column("artifact_id", ROW_ID, nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("day", sa.Date(), nullable=True),
        sa.Column("outcome", WORD, nullable=False),
        sa.Column("duration_s", sa.Float(), nullable=True),
        sa.Column("failure_id", ROW_ID, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_results")).ddl_if(dialect="sqlite"),
        postgresql_partition_by="RANGE (day)",
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER SEQUENCE results_id_seq CACHE 1000")
        op.execute("CREATE TABLE results_undated PARTITION OF results FOR VALUES FROM (MINVALUE) TO ('2000-01-01')")
    with op.batch_alter_table("results", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_results_artifact_id"), ["artifact_id"], unique=False)
        batch_op.create_index(
            "ix_results_failed",
            ["test_case_id", "failure_id", "run_id", "outcome"],
            unique=False,
            sqlite_where=sa.text("failure_id IS NOT NULL"),
            postgresql_where=sa.text("failure_id IS NOT NULL"),
        )
        batch_op.create_index(batch_op.f("ix_results_test_case_id_run_id"), ["test_case_id", "run_id"], unique=False)

    op.create_table(
        "rollups",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("project_id", ROW_ID, nullable=False),
        sa.Column("upto", sa.BigInteger(), nullable=False),
        sa.Column("stamp", sa.String(length=64), nullable=False),
        sa.Column("results", sa.Integer(), nullable=False),
        sa.Column("pruned", sa.Boolean(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_rollups_project_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rollups")),
    )
    with op.batch_alter_table("rollups", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_rollups_project_id"), ["project_id"], unique=False)

    op.create_table(
        "trials",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("experiment_id", ROW_ID, nullable=False),
        sa.Column("arm", sa.String(length=255), nullable=False),
        sa.Column("stressor", sa.String(length=255), nullable=False),
        sa.Column("group_kill", sa.String(length=64), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("outcome", WORD, nullable=False),
        sa.Column("exit_code", sa.Integer(), nullable=True),
        sa.Column("duration_s", sa.Float(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.ForeignKeyConstraint(
            ["experiment_id"], ["experiments.id"], name=op.f("fk_trials_experiment_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_trials")),
    )
    with op.batch_alter_table("trials", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_trials_experiment_id"), ["experiment_id"], unique=False)

    op.create_table(
        "process_exits",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("trial_id", ROW_ID, nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("ppid", sa.Integer(), nullable=False),
        sa.Column("pgid", sa.Integer(), nullable=True),
        sa.Column("sid", sa.Integer(), nullable=True),
        sa.Column("argv", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("exit_status", sa.Integer(), nullable=True),
        sa.Column("survived", sa.Boolean(), nullable=False),
        sa.Column("time_to_exit_ms", sa.Float(), nullable=True),
        sa.Column("time_to_reap_ms", sa.Float(), nullable=True),
        sa.Column("timeline", DOCUMENT, nullable=True),
        sa.ForeignKeyConstraint(
            ["trial_id"], ["trials.id"], name=op.f("fk_process_exits_trial_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_process_exits")),
    )
    with op.batch_alter_table("process_exits", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_process_exits_trial_id"), ["trial_id"], unique=False)


def downgrade() -> None:
    """Take back."""
    with op.batch_alter_table("process_exits", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_process_exits_trial_id"))

    op.drop_table("process_exits")
    with op.batch_alter_table("trials", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_trials_experiment_id"))

    op.drop_table("trials")
    with op.batch_alter_table("rollups", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_rollups_project_id"))

    op.drop_table("rollups")
    # With its indexes, as far as they are there: a large ingest into SQLite that was killed leaves one out.
    op.drop_table("results")
    with op.batch_alter_table("properties", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_properties_test_case_id"))
        batch_op.drop_index(batch_op.f("ix_properties_artifact_id"))

    op.drop_table("properties")
    op.drop_table("property_sets")
    with op.batch_alter_table("log_events", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_log_events_test_case_id"))
        batch_op.drop_index(batch_op.f("ix_log_events_artifact_id"))

    op.drop_table("log_events")
    with op.batch_alter_table("artifact_issues", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_artifact_issues_artifact_id"))

    op.drop_table("artifact_issues")
    op.drop_table("verdicts")
    with op.batch_alter_table("findings", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_findings_test_case_id"))

    op.drop_table("findings")
    with op.batch_alter_table("experiments", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_experiments_test_case_id"))

    op.drop_table("experiments")
    op.drop_table("artifacts")
    with op.batch_alter_table("test_cases", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_test_cases_project_id"))

    op.drop_table("test_cases")
    with op.batch_alter_table("runs", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_runs_commit_sha"))

    op.drop_table("runs")
    op.drop_table("projects")
    op.drop_table("failures")

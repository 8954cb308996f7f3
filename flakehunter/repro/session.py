"""One invocation of `repro`: from what the user asked for to the verdict, with everything kept in the database."""

import shlex
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flakehunter.config import Config
from flakehunter.db.glance import seems_usable
from flakehunter.errors import UsageError
from flakehunter.model import Mechanism
from flakehunter.repro.arms import backend_arms, check_environment, with_environment
from flakehunter.repro.bench import Arm
from flakehunter.repro.bundle import write_bundle
from flakehunter.repro.command import Command, plain_command, split_command, stored_command
from flakehunter.repro.document import to_document
from flakehunter.repro.experiment import FALLBACK, FIXED, SURVIVE_MS, Fix, Outcome, Request, run_experiment
from flakehunter.repro.journal import Journal
from flakehunter.repro.machine import machine_facts
from flakehunter.repro.rooms import here
from flakehunter.repro.schedule import Rules
from flakehunter.repro.stressors import Capability, parse_stress
from flakehunter.repro.workspace import Workspace

if TYPE_CHECKING:
    from flakehunter.db.queries.tests import TestRow


@dataclass(frozen=True, slots=True)
class Question:
    """What the user asked for; either `test` or `words` is given, and at most one kind of fix."""

    test: str | None
    words: tuple[str, ...]
    stress: str | None
    """None to search for the delay that makes it fail."""
    folder: Path
    config: Config
    rules: Rules
    project: str | None = None
    junit: Path | None = None
    fix: str | None = None
    fix_rev: str | None = None
    fix_test: str | None = None
    fix_env: tuple[str, ...] = ()
    """`NAME=VALUE` words that are the fix."""
    group_kill: tuple[str, ...] = ()
    """Group-kill backends to compare: the first with each of the others, or one with the test as it stands."""
    survive_ms: float = SURVIVE_MS
    parallel: int = 1
    time_limit_s: float = 60.0
    budget_s: float = 600.0
    warm: bool = True
    save: Path | None = None
    """Where to write a repro.toml."""
    scheduler: str | None = None
    """Address of the dask scheduler whose workers run the trials; None for this machine."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came out, and its JSON document."""

    outcome: Outcome
    document: dict[str, Any]
    experiment_id: int


def answer(
    question: Question,
    url: str,
    *,
    progress: Callable[[Sequence[Arm], float], None] = lambda _arms, _elapsed: None,
    announce: Callable[[str, Command], None] = lambda _name, _command: None,
    warn: Callable[[str], None] = lambda _text: None,
) -> Answer:
    """Run the experiment that `question` asks for, and keep it in the database `url`, which is made where missing.

    Raises:
        UsageError: an option, test, command, revision or stressor that cannot be meant.
        DatabaseError: the database cannot be used.
        NothingToDoError: a test is named, but nothing was ingested yet.
    """
    stress = None if question.stress is None else parse_stress(question.stress)
    tracer = tracer_facts(question.stress, here.can("control"))
    if stress is None and not tracer["usable"]:
        stress = parse_stress(FALLBACK)
        warn(f"{tracer['reason']}; lost: {', '.join(tracer['lost'])}; {FALLBACK} is tried instead. {tracer['hint']}")
    with ExitStack() as stack:
        pool = None
        if question.scheduler is not None:
            from flakehunter.fanout import open_pool
            from flakehunter.repro.fleet import REPRO

            pool = stack.enter_context(open_pool(question.scheduler))
            pool.places(REPRO)
        row, twin, mechanism = _look_up(url, question)
        flawed = _flawed(question, row)
        with Workspace() as workspace:
            flawed, fixes, baseline = _arms(question, flawed, row, twin, workspace)
            for command in (flawed, *(fix.command for fix in fixes)):
                command.check()
            announce("flawed", flawed)
            for fix in fixes:
                announce(fix.name, fix.command)
            if stress is not None and "quota" in stress.spec:
                workspace.expect_quota()
            request = Request(
                flawed=flawed,
                fixes=fixes,
                stress=stress,
                rules=question.rules,
                time_limit_s=question.time_limit_s,
                budget_s=question.budget_s,
                warm=question.warm,
                mechanism=mechanism,
                group_kill=baseline,
                survive_ms=question.survive_ms,
                parallel=question.parallel,
            )
            machine = machine_facts()
            journal = stack.enter_context(
                closing(Journal(workspace.journal(), url, _experiment(question, row, flawed, machine)))
            )
            outcome = run_experiment(request, workspace.folder, journal, progress, pool)
            document = to_document(outcome) | {"machine": machine, "tracer": tracer}
            if question.save is not None:
                write_bundle(question.save, question_words(question), document)
                document["replay"] = str(question.save)
            journal.finish(outcome, document)
        return Answer(outcome, document, journal.experiment_id)


def _look_up(url: str, question: Question) -> "tuple[TestRow | None, TestRow | None, Mechanism | None]":
    """Return the test, its twin for `--fix-test`, and the mechanism that `detect` suspects.

    For a command only see, before any trial, that it can be stored.
    """
    if question.test is None and seems_usable(url):
        return None, None, None
    from flakehunter.db.engine import open_database, readonly
    from flakehunter.db.queries.experiments import suspected_mechanism
    from flakehunter.db.queries.tests import find_test

    engine = open_database(url, create=question.test is None)
    try:
        if question.test is None:
            return None, None, None
        with readonly(engine).connect() as connection:
            row = find_test(connection, question.test, project=question.project)
            twin = None
            if question.fix_test is not None:
                twin = find_test(connection, question.fix_test, project=question.project or row.identity.project)
            return row, twin, suspected_mechanism(connection, row.id)
    finally:
        engine.dispose()


def _experiment(question: Question, row: "TestRow | None", command: Command, machine: dict[str, Any]) -> dict[str, Any]:
    return {
        "project": row.identity.project if row is not None else question.project or "default",
        "test_case_id": None if row is None else row.id,
        "command": command.shown,
        "machine": machine,
    }


def _flawed(question: Question, row: "TestRow | None") -> Command:
    if row is None:
        return plain_command(question.words, question.folder, junit=question.junit)
    return stored_command(row, question.config, _root(question))


def _root(question: Question) -> Path:
    """Return the folder that runners' `cwd` is relative to: the configuration's, or the project's without one."""
    return question.config.root if question.config.path is not None else question.folder


def _arms(
    question: Question, flawed: Command, row: "TestRow | None", twin: "TestRow | None", workspace: Workspace
) -> tuple[Command, tuple[Fix, ...], str]:
    """Return the flawed command, the fixes, and the flawed arm's group-kill backend (empty where none is named)."""
    if question.group_kill:
        return backend_arms(flawed, question.group_kill)
    fixed = _fixed(question, flawed, row, twin, workspace)
    if fixed is None and question.fix_env:
        fixed = with_environment(flawed, question.fix_env)
    return flawed, () if fixed is None else (Fix(FIXED, fixed),), ""


def _fixed(
    question: Question, flawed: Command, row: "TestRow | None", twin: "TestRow | None", workspace: Workspace
) -> Command | None:
    if question.fix is not None:
        words = split_command(question.fix, "--fix")
        return plain_command(words, flawed.cwd, junit=question.junit)
    if question.fix_test is not None:
        if twin is None:
            raise UsageError(
                "--fix-test needs a test to compare with", hint="write: repro TEST --fix-test TEST2, or --fix 'CMD'"
            )
        return stored_command(twin, question.config, _root(question))
    if question.fix_rev is not None:
        if row is not None:
            return stored_command(row, question.config, workspace.worktree(question.fix_rev, _root(question)))
        return plain_command(
            question.words, workspace.worktree(question.fix_rev, question.folder), junit=question.junit
        )
    return None


def tracer_facts(stress: str | None, found: Capability) -> dict[str, Any]:
    """Return whether trials can be traced here, and if not why, what to do, and what this experiment loses by it."""
    lost = ["the search for the delay that makes it fail", "signals and moments of each process"]
    if stress is not None:
        lost = ["loads that wait for the first victim of a signal"]
    return {
        "usable": found.usable,
        "reason": found.reason,
        "hint": found.hint,
        "lost": [] if found.usable else lost,
    }


def question_words(question: Question) -> dict[str, Any]:
    """Return what a repro.toml has to say to ask the same again, but for the stress."""
    return {
        "test": question.test,
        "command": None if question.test is not None else shlex.join(question.words),
        "fix": question.fix,
        "fix_rev": question.fix_rev,
        "fix_test": question.fix_test,
        "fix_env": list(question.fix_env) or None,
        "group_kill": list(question.group_kill) or None,
    }


def check_question(question: Question) -> None:
    """Refuse combinations of options that cannot be meant.

    Raises:
        UsageError: with what to write instead.
    """
    here.require()
    if (question.test is None) == (not question.words):
        both = question.test is not None
        raise UsageError(
            "a test and a command were given" if both else "neither a test nor a command was given",
            hint="write: flakehunter repro TEST, or: flakehunter repro -- CMD",
        )
    fixes = {
        "--fix": question.fix,
        "--fix-rev": question.fix_rev,
        "--fix-test": question.fix_test,
        "--fix-env": question.fix_env,
        "--group-kill": question.group_kill,
    }
    given = [name for name, value in fixes.items() if value]
    if len(given) > 1:
        raise UsageError(f"{' and '.join(given)} were given", hint="one fix is compared at a time")
    if question.fix_test is not None and question.test is None:
        raise UsageError("--fix-test needs a test to compare with", hint="use --fix 'CMD' with a command")
    check_environment(question.fix_env)
    if not question.folder.is_dir():
        raise UsageError(f"there is no folder {question.folder}", hint="give the test project's folder with -C")
    for name, value in (("--max-rate", question.rules.max_rate), ("--confidence", question.rules.confidence)):
        if not 0.0 < value < 1.0:
            raise UsageError(f"{name} {value:g} is not between 0 and 1", hint="write 0.05 for 5 %")
    if question.budget_s <= 0 or question.time_limit_s <= 0 or question.survive_ms <= 0:
        raise UsageError("--budget, --time-limit and --survive must be more than 0", hint="write 60s or 5m")
    if question.scheduler is not None and (question.fix_rev is not None or question.parallel > 1):
        other = "--fix-rev" if question.fix_rev is not None else "--parallel"
        why = "its checkout is on this machine only" if question.fix_rev is not None else "a host runs one at a time"
        raise UsageError(
            f"--scheduler and {other} were given: {why}",
            hint="give the fix with --fix, --fix-env or --fix-test" if question.fix_rev else f"leave {other} away",
        )
    if question.parallel > 1 and question.junit is not None:
        raise UsageError("--parallel and --junit were given", hint="trials side by side would write the same file")

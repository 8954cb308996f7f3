"""The same work on this machine's processes or on a fleet of dask workers: one interface, `open_pool`."""

from flakehunter.fanout.local import InlinePool
from flakehunter.fanout.pool import Outcome, Pool, TaskError, WorkerDiedError, open_pool, usable_cpus

__all__ = ["InlinePool", "Outcome", "Pool", "TaskError", "WorkerDiedError", "open_pool", "usable_cpus"]

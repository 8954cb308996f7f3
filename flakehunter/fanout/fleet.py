"""A pool of dask workers on other machines: the extra `dask`, https://distributed.dask.org."""

from __future__ import annotations

import contextlib
import logging
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any

from flakehunter import __version__
from flakehunter.errors import RemoteError, UsageError
from flakehunter.fanout.pool import Item, Outcome, Result, WorkerDiedError
from flakehunter.fanout.task import Answer, Parcel, broken, open_and_call

if TYPE_CHECKING:
    from distributed import Client, Future

CONNECT_S = 10.0
"""How long to wait for a scheduler."""
ALONE_S = 60.0
"""How long a fleet may be without a worker in the middle of the work; nannies start a killed one anew in a second."""
LOOK_S = 5.0
"""How often to look whether there are workers."""
JOINED_S = 1.0
"""How often to look whether more workers have joined; it costs both sides milliseconds, and more the more there are."""
AHEAD = 2
"""Items that are sent for each thread of the fleet: one that is worked on, and one that is on its way."""

QUIET = {
    # What comes with an item is meant to: files, or a part of the history; else dask warns from 10 MB on.
    "distributed.admin.large-graph-warning-threshold": "1TiB",
    # The source of whoever called, for a dashboard.
    "distributed.diagnostics.computations.nframes": 0,
}
"""Settings of dask while an item is sent."""

START = "start them with: dask worker {address} --nthreads 1"


class FleetPool:
    """The workers that have joined one dask scheduler."""

    stands = True

    def __init__(self, address: str) -> None:
        """Join the scheduler at `address`, such as `tcp://host:8786`, and look at its workers.

        Raises:
            UsageError: see `open_pool`.
        """
        self._address = address
        self._client = _connect(address)
        try:
            self._check_workers()
        except BaseException:
            self._client.close()
            raise

    @property
    def workers(self) -> int:
        """How many items can be worked on at once."""
        return sum(int(one["nthreads"]) for one in self._workers().values())

    def _workers(self) -> Mapping[str, Mapping[str, Any]]:
        """Return what the scheduler knows of each worker, by address."""
        workers: Mapping[str, Mapping[str, Any]] = self._client.scheduler_info(n_workers=-1)["workers"]
        return workers

    def _check_workers(self) -> None:
        if not self._workers():
            raise UsageError(
                f"no worker has joined the scheduler at {self._address}", hint=START.format(address=self._address)
            )
        versions = self._client.run(_version, on_error="return")
        wrong = {worker: found for worker, found in versions.items() if found != __version__}
        if not wrong:
            return
        worker, found = next(iter(sorted(wrong.items())))
        more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        what = f"has flakehunter {found}" if isinstance(found, str) else f"cannot import flakehunter ({found})"
        raise UsageError(
            f"worker {worker}{more} {what}, and this is {__version__}",
            hint=f"install flakehunter-ci[dask]=={__version__} on every worker and start it anew",
        )

    def map(
        self,
        function: Callable[[Item], Result],
        items: Iterable[Item],
        *,
        name: Callable[[Item], str] = str,
        resources: Mapping[str, float] | None = None,
        when_sent: Callable[[], None] | None = None,
    ) -> Iterator[Outcome[Item, Result]]:
        """Apply `function` to items on the workers; see `Pool.map`.

        After how many deaths of its workers an item is given up is the scheduler's setting
        `distributed.scheduler.allowed-failures`.

        Raises:
            UsageError: no worker has the resources.
            RemoteError: the scheduler, or every worker, is gone.
        """
        # Where all workers have gone since, one item at least is sent, and waits for one to come.
        places = max(1, self.places(resources) if resources else self.workers)
        looked = time.monotonic()
        source = iter(items)
        running: dict[Future, tuple[Item, str]] = {}
        try:
            while True:
                while len(running) < AHEAD * places and (entry := next(source, _END)) is not _END:
                    item: Item = entry  # type: ignore[assignment]
                    called = name(item)
                    try:
                        future = self._submit(Parcel.of(function, item), called, resources)
                    except Exception as error:  # not every item can be pickled
                        if self._client.status != "running":
                            raise self._lost() from error
                        yield Outcome(item, socket.gethostname(), error=broken(error, called))
                        continue
                    running[future] = item, called
                if when_sent is not None:
                    when_sent()
                    when_sent = None
                if not running:
                    return
                for future in self._done(running):
                    # Its worker died with what it had found, before that was fetched: the scheduler has it done again.
                    if future.status == "lost":
                        continue
                    item, called = running.pop(future)
                    yield self._outcome(future, item, called)
                    future.release()
                if time.monotonic() - looked > JOINED_S:
                    places = max(places, self._free(resources) if resources else self.workers)
                    looked = time.monotonic()
        finally:
            # Whoever stopped listening in the middle wants nothing more of what is being worked on.
            if running:
                with contextlib.suppress(Exception):
                    self._client.cancel(list(running), force=True)

    def _submit(self, parcel: Parcel, called: str, resources: Mapping[str, float] | None) -> Future:
        import dask

        with dask.config.set(QUIET):
            return self._client.submit(open_and_call, parcel, called, pure=False, resources=dict(resources or {}))

    def places(self, resources: Mapping[str, float]) -> int:
        """Return how many items with such needs can be worked on at once; see `Pool.places`."""
        places = self._free(resources)
        if not places:
            wanted = ",".join(f"{key}={need:g}" for key, need in resources.items())
            raise UsageError(
                f"none of the {len(self._workers())} workers of {self._address} has the resource {wanted}",
                hint=f"start one on each host with: dask worker {self._address} --nthreads 1 --resources {wanted}",
            )
        return places

    def _free(self, resources: Mapping[str, float]) -> int:
        return sum(
            min(int(one["nthreads"]), *(int(one["resources"].get(key, 0) // need) for key, need in resources.items()))
            for one in self._workers().values()
        )

    def _done(self, running: Mapping[Future, Any]) -> list[Future]:
        """Wait until an item is done; return those that are."""
        from distributed import wait
        from distributed.client import FuturesCancelledError

        alone_s = 0.0
        while True:
            try:
                with self._client.as_current():
                    return list(wait(list(running), timeout=LOOK_S, return_when="FIRST_COMPLETED").done)
            except FuturesCancelledError as error:
                raise self._lost() from error
            except TimeoutError:
                alone_s = 0.0 if self._client.status == "running" and self._workers() else alone_s + LOOK_S
            if alone_s >= ALONE_S or self._client.status not in ("running", "connecting"):
                raise self._lost("no worker is left") if self._client.status == "running" else self._lost()

    def _outcome(self, future: Future, item: Item, called: str) -> Outcome[Item, Result]:
        from distributed import CancelledError, KilledWorker

        if future.status == "cancelled":
            raise self._lost()
        try:
            answer: Answer = future.result()
        except KilledWorker as error:
            died = WorkerDiedError(
                f"{called}: worker after worker died while it worked on it, the last {error.last_worker.address}",
                item=called,
                hint="look in that host's kernel log for the OOM killer; leave the item out if it is the cause",
            )
            return Outcome(item, socket.gethostname(), error=died)
        except CancelledError as error:
            raise self._lost() from error
        except Exception as error:  # what dask could not do for us: send, or unpickle on the other side
            return Outcome(item, socket.gethostname(), error=broken(error, called))
        return answer.outcome(item)

    def _lost(self, what: str = "the connection was lost") -> RemoteError:
        return RemoteError(
            f"{what} in the middle of the work: scheduler {self._address}",
            url=self._address,
            hint="run the same command again: what is done already is not done twice",
        )

    def __enter__(self) -> FleetPool:
        """Return the pool."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the fleet; its workers stay."""
        self._client.close()


_END = object()


def _version() -> str:
    return __version__


def _connect(address: str) -> Client:
    try:
        from distributed import Client
    except ImportError as error:
        raise UsageError(
            "--scheduler needs dask, which is not installed", hint="pip install 'flakehunter-ci[dask]'"
        ) from error
    # What goes wrong with the fleet is told by our own errors; distributed has given each of its loggers a level.
    for name in [name for name in logging.root.manager.loggerDict if name.startswith("distributed")]:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        return Client(address, timeout=CONNECT_S, set_as_default=False, name="flakehunter")
    except (OSError, ValueError) as error:
        raise UsageError(
            f"no dask scheduler answers at {address}: {' '.join(str(error).split()) or type(error).__name__}",
            hint="give the address that `dask scheduler` printed, such as tcp://host:8786",
        ) from error

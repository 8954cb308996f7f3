"""Process groups for asyncio: the same group, with each call that waits moved to a thread."""

import asyncio
import signal
from collections.abc import Coroutine, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack

from flakehunter.groupkill.api import spawn
from flakehunter.groupkill.backend import (
    DEFAULT_DEADLINE_S,
    DEFAULT_GRACE_S,
    ProcessGroup,
)
from flakehunter.groupkill.command import SpawnOptions
from flakehunter.groupkill.report import KillReport, Member

__all__ = ["AsyncProcessGroup", "spawn_async"]

Result = TypeVar("Result")

SLICE_S = 0.1
"""How long a thread waits at most before it looks whether its task was cancelled."""


class AsyncProcessGroup:
    """A process group whose waiting calls are coroutines; `group` is the group itself.

    A call that is cancelled goes on in its thread until it is done: a kill that was begun is finished. Leaving the
    `async with` block kills what is left, also when the task was cancelled.
    """

    def __init__(self, group: ProcessGroup) -> None:
        self.group = group
        self._lock = asyncio.Lock()

    @property
    def pid(self) -> int:
        """Return the pid of the leader."""
        return self.group.pid

    @property
    def returncode(self) -> int | None:
        """Return the exit code of the leader, or None while it runs."""
        return self.group.returncode

    async def wait(self, timeout_s: float | None = None) -> int:
        """Wait for the leader only.

        Raises:
            TimeoutError: it still runs after `timeout_s` seconds.
        """
        # In slices, so that a cancelled task does not leave a thread behind that waits for ever.
        loop = asyncio.get_running_loop()
        deadline = None if timeout_s is None else loop.time() + timeout_s
        while True:
            left = SLICE_S if deadline is None else min(SLICE_S, max(0.0, deadline - loop.time()))
            try:
                async with self._lock:
                    return await _finish(asyncio.to_thread(self.group.wait, left))
            except TimeoutError:
                if deadline is not None and loop.time() >= deadline:
                    raise

    async def members(self) -> tuple[Member, ...]:
        """Return the members that run now."""
        async with self._lock:
            return await _finish(asyncio.to_thread(self.group.members))

    async def send_signal(self, signal_number: int, *, leader_only: bool = False) -> None:
        """Send a signal to all members, or to the leader only."""
        async with self._lock:
            await _finish(asyncio.to_thread(self.group.send_signal, signal_number, leader_only=leader_only))

    async def terminate(
        self,
        signal_number: int = signal.SIGTERM,
        *,
        grace_s: float = DEFAULT_GRACE_S,
        deadline_s: float = DEFAULT_DEADLINE_S,
    ) -> KillReport:
        """End the group; see ProcessGroup.terminate."""
        async with self._lock:
            ending = asyncio.to_thread(self.group.terminate, signal_number, grace_s=grace_s, deadline_s=deadline_s)
            return await _finish(ending)

    async def wait_gone(self, deadline_s: float) -> bool:
        """Wait without signalling until no member runs."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + deadline_s
        while True:
            left = max(0.0, deadline - loop.time())
            async with self._lock:
                if await _finish(asyncio.to_thread(self.group.wait_gone, min(left, SLICE_S))):
                    return True
            if loop.time() >= deadline:
                return False

    async def close(self) -> KillReport | None:
        """Kill what is left and give back all descriptors."""
        async with self._lock:
            return await _finish(asyncio.to_thread(self.group.close))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        await self.close()


async def _finish(work: Coroutine[Any, Any, Result]) -> Result:
    """Wait for `work` to its end even when this task is cancelled meanwhile, and be cancelled only then."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


async def spawn_async(
    argv: Sequence[str], *, backend: str | None = None, **options: Unpack[SpawnOptions]
) -> AsyncProcessGroup:
    """Start a command in a group; the arguments and errors are those of `spawn`."""
    return AsyncProcessGroup(await asyncio.to_thread(lambda: spawn(argv, backend=backend, **options)))

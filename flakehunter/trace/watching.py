"""Which system calls matter, and which function reads each of them, at its beginning or at its end."""

from flakehunter.trace import watch_blocking, watch_life, watch_resources
from flakehunter.trace.world import EXECUTING, MARKING, SPAWNING, Handling

__all__ = ["CALLS", "ENTERED", "RETURNED"]

_TESTING = (*MARKING, "stat", "lstat", "newfstatat", "statx", "readlink", "readlinkat")

ENTERED: dict[str, list[Handling]] = {
    **{name: [watch_life.sends] for name in ("kill", "tkill", "tgkill", "pidfd_send_signal")},
    **{name: [watch_resources.writes] for name in ("write", "writev", "sendto", "sendmsg")},
}
RETURNED: dict[str, list[Handling]] = {
    "kill": [watch_life.kill_returned],
    "rt_sigaction": [watch_life.action_set],
    "setsid": [watch_life.new_session],
    "setpgid": [watch_life.new_group],
    "prctl": [watch_life.controlled],
    "unshare": [watch_life.unshared],
    "setns": [watch_life.unshared],
    "wait4": [watch_life.waited],
    "waitid": [watch_life.waited],
    **{name: [watch_blocking.slept] for name in watch_blocking.SLEEPING},
    "restart_syscall": [watch_blocking.resumed_sleep],
    **{name: [watch_blocking.polled] for name in watch_blocking.POLLING},
    "pidfd_open": [watch_blocking.pid_descriptor],
    **{name: [watch_resources.reads] for name in ("read", "readv", "recvfrom", "recvmsg")},
    "socketpair": [watch_resources.pair],
    "bind": [watch_resources.bound],
    "getsockname": [watch_resources.named],
    "listen": [watch_resources.listens],
    "connect": [watch_resources.connected],
    "open": [watch_resources.opened],
    "openat": [watch_resources.opened],
    **{name: [watch_resources.tested] for name in _TESTING},
    "unlink": [watch_resources.removed],
    "unlinkat": [watch_resources.removed],
    **{name: [watch_resources.limits] for name in ("prlimit64", "sched_setaffinity", "setpriority")},
}
CALLS = frozenset(ENTERED) | frozenset(RETURNED) | SPAWNING | EXECUTING

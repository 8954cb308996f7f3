"""Bazel, from Debian and without a network: what it would fetch is there as Debian's package, or is not needed here."""

from pathlib import Path

from producers.common import PROJECT, Made, MissingProducerError, project, run, version

OUTPUT = "/tmp/fixture-bazel"  # noqa: S108 (beside the project, and the same on every machine)
RULES = Path("/usr/share/bazel")

NATIVE = ("cc_binary", "cc_import", "cc_library", "cc_proto_library", "cc_test", "cc_toolchain", "cc_toolchain_suite")

BAZEL = {
    "WORKSPACE": "",
    "BUILD": """
sh_test(name = "passes", srcs = ["passes.sh"])
sh_test(name = "child_is_gone", srcs = ["child_is_gone.sh"])
sh_test(name = "is_gone_at_the_second_try", srcs = ["second_try.sh"], flaky = True)
""",
    "passes.sh": "#!/bin/sh\nexit 0\n",
    "child_is_gone.sh": "#!/bin/sh\necho 'sent SIGKILL to pid 4711'\necho 'process 4711 is still alive'\nexit 1\n",
    "second_try.sh": "#!/bin/sh\nmkdir /tmp/project/tried || exit 0\necho 'process 4711 is still alive'\nexit 1\n",
    # Debian's rules for C++ are of a newer Bazel; tests in shell load them, and need none.
    "cc/WORKSPACE": "",
    "cc/cc/BUILD": "",
    "cc/cc/defs.bzl": "".join(f"def {name}(**given):\n    native.{name}(**given)\n\n" for name in NATIVE),
    "coverage/WORKSPACE": "",
    "coverage/BUILD": """
sh_binary(name = "coverage_report_generator", srcs = ["none.sh"], visibility = ["//visibility:public"])
""",
    "coverage/none.sh": "#!/bin/sh\n",
}
REPOSITORIES = {
    "rules_cc": f"{PROJECT}/cc",
    "remote_coverage_tools": f"{PROJECT}/coverage",
    "rules_java": f"{RULES}/rules/java",
    "rules_proto": f"{RULES}/rules/proto",
    "bazel_skylib": f"{RULES}/tools/skylib",
    "platforms": f"{RULES}/tools/platforms",
}


def bazel() -> Made:
    """Bazel's test.xml of shell tests: one a target, and one a failed try of a flaky one."""
    folder = project(BAZEL)
    for script in folder.rglob("*.sh"):
        script.chmod(0o755)
    if not all(Path(place).exists() for place in REPOSITORIES.values()):
        raise MissingProducerError("bazel-rules-java, bazel-rules-proto, bazel-skylib and bazel-platforms")
    made = Made("bazel", version("dpkg-query", "-W", "bazel-bootstrap"), "bazel test //:all")
    local = [f"--override_repository={name}={place}" for name, place in REPOSITORIES.items()]
    start = ("bazel", f"--output_user_root={OUTPUT}")
    try:
        log = run(folder, *start, "test", *local, "--spawn_strategy=local", "--color=no", "//:all")
        for path in sorted((folder / "bazel-testlogs").rglob("*.xml")):
            made.keep_file(f"bazel/{path.relative_to(folder / 'bazel-testlogs')}", path)
    finally:
        run(folder, *start, "shutdown")
    made.counts(log, r"^Executed \d+ out of \d+ tests")
    return made


MAKERS = {"bazel": bazel}

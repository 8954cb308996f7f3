"""Producers for compiled languages: Go, Rust, CTest, GoogleTest, Catch2."""

import shutil
from pathlib import Path

from producers.common import Made, MissingProducerError, project, run, version

GO = {
    "go.mod": "module example.org/child\n\ngo 1.19\n",
    "child_test.go": """
package child

import (
	"fmt"
	"testing"
	"time"
)

func TestPasses(t *testing.T) {}

func TestChildIsGone(t *testing.T) {
	fmt.Println("sent SIGKILL to pid 4711")
	t.Error("process 4711 is still alive")
}

func TestSkipped(t *testing.T) { t.Skip("not today") }

func TestGroup(t *testing.T) {
	for _, name := range []string{"a", "b c", "d/e"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			time.Sleep(time.Millisecond)
			if name == "never" {
				t.Fatal("no")
			}
		})
	}
}
""",
    "other/other_test.go": """
package other

import "testing"

func TestPanics(t *testing.T) {
	var nothing map[string]int
	nothing["a"] = 1
}
""",
}


def go() -> Made:
    """`go test` in its two verbose forms, and gotestsum's XML of the second where it is there."""
    folder = project(GO)
    made = Made("go", version("go", "version"), "go test -v ./..., go test -json ./...")
    log = run(folder, "go", "test", "-v", "-count=1", "./...")
    made.keep("go/verbose.log", log)
    made.keep("go/json.log", run(folder, "go", "test", "-json", "-count=1", "./..."))
    if shutil.which("gotestsum"):
        made.version += f", gotestsum {version('dpkg-query', '-W', 'gotestsum')}"
        made.command += ", gotestsum --junitfile junit.xml -- -count=1 ./..."
        output = run(folder, "gotestsum", "--junitfile", "junit.xml", "--", "-count=1", "./...")
        made.keep_file("go/gotestsum.xml", folder / "junit.xml")
        made.counts(output, r"^DONE ")
    else:
        raise MissingProducerError("gotestsum")
    return made


CARGO = {
    "Cargo.toml": '[package]\nname = "child"\nversion = "0.1.0"\nedition = "2021"\n',
    "src/lib.rs": """
pub fn ends() -> bool { true }

#[cfg(test)]
mod tests {
    #[test]
    fn passes() { assert!(super::ends()); }

    #[test]
    fn child_is_gone() {
        println!("sent SIGKILL to pid 4711");
        panic!("process 4711 is still alive");
    }

    #[test]
    #[ignore = "not today"]
    fn skipped() {}

    #[test]
    #[should_panic]
    fn panics_as_it_should() { panic!("known") }
}
""",
    "tests/outside.rs": "#[test]\nfn from_outside() { assert!(child::ends()); }\n",
}


def cargo() -> Made:
    """`cargo test`, which writes no XML."""
    folder = project(CARGO)
    command = ["cargo", "test", "--offline", "--no-fail-fast"]
    made = Made("cargo", version("cargo", "--version"), " ".join(command))
    log = run(folder, *command, CARGO_TERM_COLOR="never")
    made.keep("cargo/plain.log", log)
    made.counts(log, r"^test result:")
    return made


NEXTEST = {
    "Cargo.toml": CARGO["Cargo.toml"],
    "src/lib.rs": """
#[cfg(test)]
mod tests {
    #[test]
    fn passes() {}

    #[test]
    fn child_is_gone() {
        println!("sent SIGKILL to pid 4711");
        panic!("process 4711 is still alive");
    }

    #[test]
    fn is_gone_at_the_second_try() {
        assert_eq!(std::env::var("NEXTEST_ATTEMPT").as_deref(), Ok("2"), "process 4711 is still alive");
    }

    #[test]
    #[ignore = "not today"]
    fn skipped() {}
}
""",
    ".config/nextest.toml": """
[profile.default]
retries = 1
fail-fast = false
[profile.default.junit]
path = "junit.xml"
""",
}


def nextest() -> Made:
    """cargo-nextest with its JUnit report: failed tests are run once more."""
    if shutil.which("cargo-nextest") is None:
        raise MissingProducerError("cargo-nextest")
    folder = project(NEXTEST)
    made = Made("nextest", version("cargo-nextest", "--version"), "cargo nextest run")
    command = ("cargo", "nextest", "run", "--offline", "--no-input-handler")
    log = run(folder, *command, CARGO_TERM_COLOR="never", RUST_BACKTRACE="0")
    made.keep("nextest/console.log", log)
    made.keep_file("nextest/junit.xml", folder / "target/nextest/default/junit.xml")
    made.counts(log, r"Summary \[")
    return made


CTEST = {
    "CMakeLists.txt": """
cmake_minimum_required(VERSION 3.20)
project(child NONE)
enable_testing()
add_test(NAME passes COMMAND true)
add_test(NAME child.is_gone COMMAND sh -c "echo 'sent SIGKILL to pid 4711'; echo 'process 4711 is still alive'; exit 1")
add_test(NAME skipped COMMAND sh -c "exit 77")
set_tests_properties(skipped PROPERTIES SKIP_RETURN_CODE 77)
add_test(NAME "with space" COMMAND true)
set_tests_properties("with space" PROPERTIES LABELS "quick;db")
add_test(NAME times_out COMMAND sleep 30)
set_tests_properties(times_out PROPERTIES TIMEOUT 1)
add_test(NAME killed COMMAND sh -c "kill -9 $$")
add_test(NAME disabled COMMAND true)
set_tests_properties(disabled PROPERTIES DISABLED TRUE)
""",
}


def ctest() -> Made:
    """CTest with --output-junit."""
    folder = project(CTEST)
    made = Made("ctest", version("ctest", "--version"), "ctest --output-junit junit.xml --output-on-failure")
    run(folder, "cmake", "-S", ".", "-B", "build")
    log = run(folder / "build", "ctest", "--output-junit", "junit.xml", "--output-on-failure")
    made.keep("ctest/console.log", log)
    made.keep_file("ctest/junit.xml", folder / "build" / "junit.xml")
    made.counts(log, r"tests passed, \d+ tests failed out of")
    return made


GOOGLETEST = {
    "child.cc": r"""
#include <gtest/gtest.h>
#include <cstdio>

TEST(Child, Passes) { RecordProperty("owner", "team-a"); }
TEST(Child, IsGone) {
  std::puts("sent SIGKILL to pid 4711");
  ADD_FAILURE() << "process 4711 is still alive";
  EXPECT_EQ(1, 2);
}
TEST(Child, Skipped) { GTEST_SKIP() << "not today"; }
TEST(Child, DISABLED_Never) {}
class Numbers : public testing::TestWithParam<int> {};
TEST_P(Numbers, AreSmall) { EXPECT_LT(GetParam(), 10); }
INSTANTIATE_TEST_SUITE_P(Some, Numbers, testing::Values(1, 2));
""",
}


def googletest() -> Made:
    """GoogleTest's own XML."""
    if not Path("/usr/include/gtest/gtest.h").exists():
        raise MissingProducerError("libgtest-dev")
    folder = project(GOOGLETEST)
    made = Made("googletest", version("dpkg-query", "-W", "libgtest-dev"), "./child --gtest_output=xml:junit.xml")
    run(folder, "c++", "-O0", "child.cc", "-o", "child", "-lgtest", "-lgtest_main", "-pthread")
    log = run(folder, "./child", "--gtest_output=xml:junit.xml", "--gtest_color=no")
    made.keep("googletest/console.log", log)
    made.keep_file("googletest/junit.xml", folder / "junit.xml")
    made.counts(log, r"^\[==========\] \d+ tests? .* ran", r"^\[  (?:PASSED|SKIPPED|FAILED )", r"YOU HAVE \d+ DISABLED")
    return made


CATCH2 = {
    "child.cc": r"""
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>
#include <cstdio>

TEST_CASE("passes", "[quick]") { REQUIRE(true); }
TEST_CASE("child is gone") {
  std::puts("sent SIGKILL to pid 4711");
  SECTION("at once") { CHECK(std::string("process 4711 is still alive") == "gone"); }
  SECTION("later") { REQUIRE(true); }
}
TEST_CASE("throws") { throw std::runtime_error("no server"); }
""",
}


def catch2() -> Made:
    """Catch2's JUnit reporter, which has a test case for each section."""
    if not Path("/usr/include/catch2/catch.hpp").exists():
        raise MissingProducerError("catch2")
    folder = project(CATCH2)
    made = Made("catch2", version("dpkg-query", "-W", "catch2"), "./child --reporter junit")
    run(folder, "c++", "-O0", "child.cc", "-o", "child")
    made.keep("catch2/junit.xml", run(folder, "./child", "--reporter", "junit"))
    log = run(folder, "./child", "--success")
    made.keep("catch2/console.log", log)
    made.counts(log, r"^test cases:")
    return made


MAKERS = {"go": go, "cargo": cargo, "nextest": nextest, "ctest": ctest, "googletest": googletest, "catch2": catch2}

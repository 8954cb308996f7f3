"""The rules, through files as a user has them: what is a look too early, and what is not."""

import textwrap
from pathlib import Path

import pytest

from flakehunter.scan.run import scan


def findings(folder: Path, source: str, name: str = "test_it.py") -> list[tuple[str, int, int]]:
    """Return (mechanism, signal line, look line) of a file with this source."""
    path = folder / name
    path.write_text(textwrap.dedent(source).lstrip("\n"), encoding="utf-8")
    return [(f.mechanism.value, f.signal_line, f.look_line) for f in scan([path], jobs=1).findings]


HEAD = """
import os, signal, subprocess, time
def test_it():
    proc = subprocess.Popen(["sleep", "60"])
    {signal}
    {between}
    {look}
"""


@pytest.mark.parametrize(
    ("between", "look", "expected"),
    [
        ("pass", "assert proc.poll() is not None", [("check-before-exit", 4, 6)]),
        ("time.sleep(1)", "assert proc.poll() is not None", [("fixed-sleep", 4, 6)]),
        ("proc.wait()", "assert proc.poll() is not None", []),
        ("proc.communicate()", "assert proc.poll() is not None", []),
        ("proc.wait(timeout=0.2)", "assert proc.poll() is not None", [("deadline-too-short", 4, 5)]),
        ("proc.wait(timeout=20)", "assert proc.poll() is not None", []),
        ("pass", "assert proc.poll() is None", []),
        ("pass", "proc.wait()", []),
        ("pass", "if proc.poll() is None: proc.kill()", []),
        ("pass", "if proc.poll() is None: raise AssertionError('alive')", [("check-before-exit", 4, 6)]),
        ("code = proc.poll()", "assert code is not None", [("check-before-exit", 4, 5)]),
        ("while proc.poll() is None: time.sleep(0.1)", "assert proc.poll() == -15", []),
        ("with pytest.raises(subprocess.TimeoutExpired): proc.wait(timeout=0.1)", "proc.kill()", []),
    ],
)
def test_between_signal_and_look(tmp_path: Path, between: str, look: str, expected: list[tuple[str, int, int]]) -> None:
    source = HEAD.strip("\n").format(signal="proc.terminate()", between=between, look=look)
    assert findings(tmp_path, source) == expected


@pytest.mark.parametrize("harmless", ["SIGSTOP", "SIGCONT", "SIGWINCH"])
def test_signal_that_ends_nothing_orders_nothing(tmp_path: Path, harmless: str) -> None:
    source = HEAD.strip("\n").format(
        signal=f"os.kill(proc.pid, signal.{harmless})", between="pass", look="os.kill(proc.pid, 0)"
    )
    assert findings(tmp_path, source) == []


def test_kill_with_zero_is_a_look_and_no_signal(tmp_path: Path) -> None:
    source = HEAD.strip("\n").format(signal="os.kill(proc.pid, 0)", between="pass", look="assert proc.poll() is None")
    assert findings(tmp_path, source) == []


def test_helper_of_the_file_that_waits_clears_the_look(tmp_path: Path) -> None:
    source = """
    import os, signal, time
    def gone(pid):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        return False
    def settle(pid):
        for _ in range(500):
            if gone(pid):
                return
            time.sleep(0.05)
    def test_waits(worker_pid):
        os.kill(worker_pid, signal.SIGTERM)
        settle(worker_pid)
        assert gone(worker_pid)
    def test_does_not_wait(worker_pid):
        os.kill(worker_pid, signal.SIGTERM)
        assert gone(worker_pid)
    """
    assert findings(tmp_path, source) == [("check-before-exit", 18, 19)]


def test_helper_that_only_says_it_waits_does_not_clear_the_look(tmp_path: Path) -> None:
    source = """
    import os, signal, time
    def wait_gone(pid):
        time.sleep(0.1)
        assert not os.path.exists(f"/proc/{pid}")
    def test_it(worker_pid):
        os.kill(worker_pid, signal.SIGTERM)
        wait_gone(worker_pid)
    """
    assert findings(tmp_path, source) == [("fixed-sleep", 6, 7)]


def test_helper_of_an_imported_module_is_followed(tmp_path: Path) -> None:
    (tmp_path / "processes.py").write_text(
        "import psutil\ndef settle(pid):\n    psutil.Process(pid).wait(timeout=30)\n"
        "def check(pid):\n    assert not psutil.pid_exists(pid)\n"
    )
    source = """
    import os
    from processes import check, settle
    def test_bad(worker_pid):
        os.kill(worker_pid, 9)
        check(worker_pid)
    def test_good(worker_pid):
        os.kill(worker_pid, 9)
        settle(worker_pid)
        check(worker_pid)
    """
    assert findings(tmp_path, source) == [("check-before-exit", 4, 5)]


def test_fixture_is_followed_and_its_clean_up_comes_after_the_test(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(
        "import subprocess, pytest\n@pytest.fixture\ndef server():\n    proc = subprocess.Popen(['server'])\n"
        "    yield proc\n    proc.kill()\n    proc.wait()\n"
    )
    source = """
    def test_alive(server):
        assert server.poll() is None
    def test_stops(server):
        server.terminate()
        assert server.poll() is not None
    """
    assert findings(tmp_path, source) == [("check-before-exit", 4, 5)]


def test_object_that_wraps_a_process_is_followed(tmp_path: Path) -> None:
    source = """
    import subprocess
    class Server:
        def __init__(self):
            self.proc = subprocess.Popen(["server"])
        def kill(self):
            self.proc.kill()
            self.proc.wait()
        def abort(self):
            self.proc.terminate()
        def alive(self):
            return self.proc.poll() is None
    def test_good():
        server = Server()
        server.kill()
        assert not server.alive()
    def test_bad():
        server = Server()
        server.abort()
        assert not server.alive()
    """
    assert findings(tmp_path, source) == [("check-before-exit", 18, 19)]


def test_branch_that_returns_leaves_no_signal_behind(tmp_path: Path) -> None:
    source = """
    import subprocess
    def test_it(flag):
        proc = subprocess.Popen(["true"])
        if flag:
            proc.kill()
            return
        assert proc.poll() is None
    """
    assert findings(tmp_path, source) == []


def test_clean_up_that_is_deferred_comes_last(tmp_path: Path) -> None:
    source = """
    package a
    func TestIt(t *testing.T) {
        cmd := exec.Command("sleep", "60")
        cmd.Start()
        defer cmd.Process.Kill()
        if err := cmd.Process.Signal(syscall.Signal(0)); err == nil {
            t.Fatal("alive")
        }
    }
    """
    assert [f for f in findings(tmp_path, source, "a_test.go") if f[1] == 5] == []


@pytest.mark.parametrize(
    "comment",
    [
        "# flakehunter: ignore[check-before-exit]",
        "# flakehunter: ignore",
        "# flakehunter: ignore[survivor, check-before-exit]",
    ],
)
def test_comment_silences_a_line(tmp_path: Path, comment: str) -> None:
    source = HEAD.strip("\n").format(signal="proc.kill()", between="pass", look=f"assert proc.poll()  {comment}")
    assert findings(tmp_path, source) == []


def test_comment_for_another_mechanism_does_not_silence(tmp_path: Path) -> None:
    look = "assert proc.poll() is not None  # flakehunter: ignore[survivor]"
    source = HEAD.strip("\n").format(signal="proc.kill()", between="pass", look=look)
    assert len(findings(tmp_path, source)) == 1


def test_comment_above_the_line_silences_it(tmp_path: Path) -> None:
    source = """
    test("x", () => {
      const child = spawn("sleep", ["60"]);
      child.kill();
      // flakehunter: ignore[check-before-exit]
      expect(isAlive(child.pid)).toBe(false);
    });
    """
    assert findings(tmp_path, source, "x.test.js") == []


def test_file_that_does_not_parse_is_scanned_and_named(tmp_path: Path) -> None:
    path = tmp_path / "test_broken.py"
    path.write_text("def broken(:\n\ndef test_it(pid):\n    os.kill(pid, 9)\n    assert not psutil.pid_exists(pid)\n")
    report = scan([path], jobs=1)
    assert [f.function for f in report.findings] == ["test_it"]
    assert len(report.broken) == 1


def test_binary_and_huge_files_are_skipped_and_named(tmp_path: Path) -> None:
    (tmp_path / "blob.py").write_bytes(b"kill pid\0\1\2")
    (tmp_path / "huge.js").write_bytes(b"// kill pid\n" * 200_000)
    report = scan([tmp_path], jobs=1)
    assert {(Path(s.file).name, s.reason) for s in report.skipped} == {
        ("blob.py", "binary"),
        ("huge.js", "2.4 MB is too large for test source"),
    }


def test_same_findings_in_parallel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flakehunter.scan.run.PARALLEL_BYTES", 1)
    monkeypatch.setattr("flakehunter.scan.run.CHUNK_BYTES", 1_000)
    source = HEAD.strip("\n").format(signal="proc.kill()", between="pass", look="assert proc.poll() is not None")
    for number in range(20):
        (tmp_path / f"test_{number}.py").write_text(source)
    serial, parallel = scan([tmp_path], jobs=1), scan([tmp_path], jobs=2)
    assert len(serial.findings) == 20
    assert serial.findings == parallel.findings


def test_fingerprint_stays_when_lines_move(tmp_path: Path) -> None:
    source = HEAD.strip("\n").format(signal="proc.kill()", between="pass", look="assert proc.poll() is not None")
    path = tmp_path / "test_it.py"
    path.write_text(source)
    (before,) = scan([path], jobs=1).findings
    path.write_text("# one more line\n\n" + source)
    (after,) = scan([path], jobs=1).findings
    assert before.look_line + 2 == after.look_line
    assert before.fingerprint == after.fingerprint


def test_pause_after_a_stop_that_may_wait_or_not(tmp_path: Path) -> None:
    source = """
    def test_it(service):
        pid = service.pid
        service.stop()
        time.sleep(0.5)
        assert not psutil.pid_exists(pid)
    """
    assert findings(tmp_path, source) == [("fixed-sleep", 3, 5)]
    assert findings(tmp_path, source.replace("time.sleep(0.5)", "pass")) == []
    assert findings(tmp_path, source.replace("time.sleep(0.5)", "os.waitpid(pid, 0); time.sleep(0.5)")) == []


SET_UP = """
class TestServer(unittest.TestCase):
    def setUp(self):
        self.server = subprocess.Popen(["server"], stdout=subprocess.PIPE)
        {ready}

    def test_answers(self):
        socket.create_connection(("127.0.0.1", 8000))

    def test_answers_again(self):
        socket.create_connection(("127.0.0.1", 8000))

class TestOther(unittest.TestCase):
    def test_without_server(self):
        socket.create_connection(("127.0.0.1", 9000))
"""


def test_set_up_that_only_pauses_is_told_once(tmp_path: Path) -> None:
    assert findings(tmp_path, SET_UP.format(ready="time.sleep(1)")) == [("fixed-sleep", 3, 4)]
    assert findings(tmp_path, SET_UP.format(ready="self.server.stdout.readline(); time.sleep(1)")) == []


def test_fixture_that_only_pauses_is_told_where_it_stands(tmp_path: Path) -> None:
    source = """
    @pytest.fixture
    def server():
        child = subprocess.Popen(["python3", "server.py"])
        {ready}
        yield child
        child.kill()

    def test_answers(server):
        assert urllib.request.urlopen("http://127.0.0.1:8000").status == 200

    def test_answers_again(server):
        socket.create_connection(("127.0.0.1", 8000))
    """
    assert findings(tmp_path, source.format(ready="time.sleep(1)")) == [("fixed-sleep", 3, 4)]
    assert findings(tmp_path, source.format(ready="wait_for_port(8000)")) == []


def test_handler_that_only_logs_fails_nothing(tmp_path: Path) -> None:
    source = HEAD.strip("\n").format(
        signal="proc.terminate()",
        between="time.sleep(1)",
        look="if proc.poll() is None: {failing}",
    )
    assert findings(tmp_path, source.format(failing="log.warning('failed to stop')")) == []
    assert findings(tmp_path, source.format(failing="self.fail('failed to stop')")) == [("fixed-sleep", 4, 6)]


def test_chained_assignments_take_no_exponential_time(tmp_path: Path) -> None:
    source = "function f(pid) {\n  " + " = ".join(f"a{n}" for n in range(60)) + " = spawn('x');\n  a0.kill();\n}\n"
    assert findings(tmp_path, source, "chain.js") == []


def test_comment_before_what_a_with_statement_opens(tmp_path: Path) -> None:
    source = """
    import os

    def test_it(pid):
        with (  # both at once
            open("a"),
            open("b"),
        ):
            os.kill(pid, 9)
    """
    (tmp_path / "test_it.py").write_text(textwrap.dedent(source))
    assert scan([tmp_path], jobs=1).failed == []


def test_minified_file_is_left_out_and_named(tmp_path: Path) -> None:
    (tmp_path / "bundle.js").write_text("var a=1;" * 4000 + "p.kill(pid)\n")
    report = scan([tmp_path], jobs=1)
    assert [s.reason for s in report.skipped] == ["minified: a line is longer than 20,000 bytes"]


def test_file_that_trips_the_rules_costs_no_other_findings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = HEAD.strip("\n").format(signal="proc.kill()", between="pass", look="assert proc.poll() is not None")
    (tmp_path / "test_a.py").write_text(source.replace("test_it", "test_trips"))
    (tmp_path / "test_b.py").write_text(source)
    from flakehunter.scan import rules

    def judge(function: rules.Function, lookup: object, *, spawned: object = None) -> list[object]:
        if function.name == "test_trips":
            raise KeyError(5)
        return [*real(function, lookup, spawned=spawned)]  # type: ignore[arg-type]

    real = rules.judge
    monkeypatch.setattr(rules, "judge", judge)
    report = scan([tmp_path], jobs=1)
    assert [Path(f.file).name for f in report.findings] == ["test_b.py"]
    assert [(Path(f.file).name, f.reason) for f in report.failed] == [("test_a.py", "KeyError: 5")]


def test_process_started_on_the_way_out_of_a_branch(tmp_path: Path) -> None:
    source = """
    def start(flag):
        if flag:
            return subprocess.Popen(["a"])
        return subprocess.Popen(["b"])

    def test_it():
        proc = start(True)
        proc.kill()
        pid = int(open("pid").read())
        assert proc.poll() is not None
    """
    assert findings(tmp_path, source) == [("check-before-exit", 8, 10)]


def test_method_of_something_far_away_is_not_a_helper_of_that_name(tmp_path: Path) -> None:
    (tmp_path / "helper.py").write_text("class Job:\n    def close(self):\n        self.proc.kill()\n")
    source = """
    from helper import Job
    def test_it(lock_file):
        result.manager.store.close()
        FileLock(lock_file).acquire()
    """
    assert findings(tmp_path, source) == []

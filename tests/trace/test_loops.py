"""Poll loops are known from the source, in any language, by indentation."""

from pathlib import Path

import pytest

from flakehunter.trace.loops import in_polling_loop
from flakehunter.trace.marks import Mark, parse_mark

SOURCES = {
    "python": (
        "while not gone(pid):\n    if time.monotonic() > deadline:\n        fail()\n    time.sleep(0.01)\n",
        1,
        True,
    ),
    "python body": ("while True:\n    if gone(pid):\n        break\n    time.sleep(0.01)\n", 2, True),
    "python single": ("time.sleep(0.05)\nassert gone(pid)\nfor x in y:\n    time.sleep(1)\n", 2, False),
    "python for without a pause": ("for pid in pids:\n    assert gone(pid)\n", 2, False),
    "after a loop": ("def f():\n    while busy():\n        time.sleep(1)\n    assert gone(pid)\n", 4, False),
    "javascript": ("while (!gone(pid)) {\n  if (Date.now() > end) break;\n  await sleep(10);\n}\n", 1, True),
    "javascript for ever": ("for (;;) {\n  if (gone(pid)) break;\n  await sleep(10);\n}\n", 2, True),
    "vitest": ("await vi.waitFor(() => {\n  expect(gone(pid)).toBe(true);\n}, { timeout: 5000 });\n", 2, True),
    "ruby": ("until gone?(pid)\n  raise if Time.now > deadline\n  sleep 0.01\nend\n", 1, True),
    "go": ("for !gone(pid) {\n\ttime.Sleep(time.Millisecond)\n}\n", 1, True),
    "first round": ("seen = look(pid)\nwhile seen:\n    time.sleep(0.01)\n    seen = look(pid)\n", 1, True),
    "no first round": ("seen = look(pid)\nassert not seen\nwhile busy():\n    time.sleep(0.01)\n", 1, False),
    "not of this function": ("def f():\n    seen = look(1)\nwhile seen:\n    sleep(1)\n    seen = look(2)\n", 2, False),
    "not kept": ("assert not look(pid)\nwhile look(pid):\n    time.sleep(0.01)\n", 1, False),
    "poll() is no loop": ("time.sleep(0.1)\nif child.poll() is None:\n    fail()\n", 2, False),
}


@pytest.mark.parametrize(("source", "line", "polls"), SOURCES.values(), ids=SOURCES.keys())
def test_line_in_a_polling_loop_is_recognised(tmp_path: Path, source: str, line: int, polls: bool) -> None:
    file = tmp_path / "source"
    file.write_text(source)
    assert in_polling_loop(str(file), line) is polls


def test_file_that_is_not_there_has_no_loop(tmp_path: Path) -> None:
    assert not in_polling_loop(str(tmp_path / "none"), 1)
    (tmp_path / "short").write_text("x\n")
    assert not in_polling_loop(str(tmp_path / "short"), 7)


def test_mark_holds_stack_time_limit_and_key() -> None:
    mark = parse_mark("/.flakehunter/wait/timeout=0.08,id=3,internal=//a/b%7Cc.py:12|/a/d.py:7")
    assert mark == Mark("wait", (("/a/b|c.py", 12), ("/a/d.py", 7)), 0.08, True, "3")
    assert (mark.file, mark.line) == ("/a/b|c.py", 12)


@pytest.mark.parametrize("path", ["/etc/passwd", "/.flakehunter/", "/.flakehunter/x/y", ""])
def test_other_paths_are_no_marks(path: str) -> None:
    assert parse_mark(path) is None


def test_mark_that_cannot_be_understood_is_one_without_particulars() -> None:
    assert parse_mark("/.flakehunter/wait/timeout=soon/nowhere") == Mark("wait")

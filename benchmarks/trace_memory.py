"""How much memory `flakehunter trace` takes for suites of different lengths; the traces are generated.

    python benchmarks/trace_memory.py [--processes N]... [--write]

A suite starts ten processes in each test, and a test takes a second. Each process makes a file, sets a handler, writes
to its parent, is signalled, looked at until it is gone, and reaped. A runner marks the tests, or else the whole run is
one window. Each size is measured in a process of its own, by its largest resident set.
Exit status 1 when the largest suite takes more than twice the memory of the smallest; `--write` puts the table into
benchmarks/trace.md.
"""

import argparse
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from sections import write_section

from flakehunter.trace.forgetting import Forgetting
from flakehunter.trace.reader import Reader
from flakehunter.trace.rules import find_all
from flakehunter.trace.watching import ENTERED, RETURNED
from flakehunter.trace.world import World

PAGE = Path(__file__).with_name("trace.md")
SIZES = (10_000, 100_000)
OF_A_TEST = 10
MOST_TIMES = 2.0
PIDS = 4_000_000
CHILD = """\
100  {t:.6f} vfork( <unfinished ...>
{p}  {t1:.6f} execve("/usr/bin/job", ["job", "{n}"], 0x1 /* 30 vars */ <unfinished ...>
100  {t1:.6f} <... vfork resumed>) = {p} <0.0001>
{p}  {t2:.6f} <... execve resumed>) = 0 <0.0001>
{p}  {t2:.6f} rt_sigaction(SIGTERM, {{sa_handler=0x1, sa_mask=[], sa_flags=0}}, NULL, 8) = 0 <0.00001>
{p}  {t2:.6f} openat(AT_FDCWD</w>, "/w/job-{n}.pid", O_RDWR|O_CREAT|O_EXCL, 0600) = 4</w/job-{n}.pid> <0.00001>
100  {t2:.6f} poll([{{fd=5, events=POLLIN}}], 1, 2000 <unfinished ...>
{p}  {t3:.6f} write(1<pipe:[{n}]>, "ready\\n", 6) = 6 <0.00001>
100  {t3:.6f} <... poll resumed>) = 1 ([{{fd=5, revents=POLLIN}}]) <0.001>
100  {t3:.6f} read(5<pipe:[{n}]>, "ready\\n", 512) = 6 <0.00001>
100  {t3:.6f} write(7<pipe:[9{n}]>, "go\\n", 3) = 3 <0.00001>
{p}  {t3:.6f} read(0<pipe:[9{n}]>, "go\\n", 3) = 3 <0.00001>
100  {t4:.6f} kill({p}, SIGTERM) = 0 <0.00001>
{p}  {t4:.6f} --- SIGTERM {{si_signo=SIGTERM, si_code=SI_USER, si_pid=100, si_uid=0}} ---
100  {t4:.6f} kill({p}, 0) = 0 <0.00001>
{p}  {t5:.6f} unlink("/w/job-{n}.pid") = 0 <0.00001>
{p}  {t5:.6f} +++ exited with 0 +++
100  {t5:.6f} clock_nanosleep(CLOCK_REALTIME, 0, {{tv_sec=0, tv_nsec=2000000}}, NULL) = 0 <0.002>
100  {t6:.6f} wait4({p}, [{{WIFEXITED(s) && WEXITSTATUS(s) == 0}}], 0, NULL) = {p} <0.00001>
100  {t6:.6f} read(5<pipe:[{n}]>, "", 512) = 0 <0.00001>
100  {t6:.6f} kill({p}, 0) = -1 ESRCH (No such process) <0.00001>
"""
MARK = '100  {t:.6f} access("/.flakehunter/{what}/id=t.py%3A%3Atest_{n}{more}//w/t.py:1", F_OK) = -1 ENOENT <0.1>\n'


def suite(processes: int, *, tests: bool) -> Iterator[bytes]:
    """Yield the trace of a suite that starts so many processes, one second for a test."""
    yield b'100  1000.000000 execve("/usr/bin/python3", ["python3", "-m", "pytest"], 0x1 /* 30 vars */) = 0 <0.001>\n'
    for test in range(processes // OF_A_TEST):
        begin = 1001.0 + test
        lines = [MARK.format(t=begin, what=what, n=test, more="") for what in ("test", "body") if tests]
        for child in range(OF_A_TEST):
            number = test * OF_A_TEST + child
            at = begin + 0.001 + child * 0.09
            times = {"t": at} | {f"t{step}": at + step * 0.01 for step in range(1, 7)}
            lines.append(CHILD.format(p=1000 + number % PIDS, n=number, **times))
        if tests:
            lines.append(MARK.format(t=begin + 0.95, what="returned", n=test, more=""))
            lines.append(MARK.format(t=begin + 0.96, what="tested", n=test, more=",outcome=passed"))
        yield "".join(lines).encode()
    yield f"100  {1002.0 + processes / OF_A_TEST:.6f} +++ exited with 0 +++\n".encode()


def measure(processes: int, *, tests: bool) -> str:
    """Read one suite, and return its line of the table."""
    world, reader = World(ENTERED, RETURNED), Reader()
    forgetting = Forgetting(world)
    started = time.process_time()
    for piece in suite(processes, tests=tests):
        forgetting.consume_all(reader.feed(piece))
    findings = len(find_all(world))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    spent = time.process_time() - started
    cells = ["yes" if tests else "no", f"{processes:,}", f"{reader.lines:,}", f"{memory:.0f}", f"{spent:.0f}", findings]
    return "| " + " | ".join(map(str, cells)) + " |"


def main() -> int:
    """Measure each size in a process of its own, print the table, and tell whether memory is flat."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--processes", type=int, action="append", help="sizes (10000 and 100000)")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--one", choices=("yes", "no"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    sizes = options.processes or SIZES
    if options.one:
        print(measure(sizes[0], tests=options.one == "yes"))
        return 0
    rows = []
    for tests in ("yes", "no"):
        for size in sizes:
            words = [sys.executable, __file__, "--one", tests, "--processes", str(size)]
            rows.append(subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip())
            print(rows[-1], file=sys.stderr, flush=True)
    head = "| tests marked | processes | lines of trace | largest resident set, MB | CPU s | findings |"
    text = "\n".join([head, "|" + "-|" * 6, *rows])
    text += f"\n\nLinux {platform.release()}, Python {platform.python_version()}, {os.cpu_count()} CPUs.\n"
    print(text)
    if options.write:
        write_section(PAGE, "memory", text)
    memory = [float(row.split("|")[4]) for row in rows]
    half = len(sizes)
    flat = all(part[-1] <= MOST_TIMES * part[0] for part in (memory[:half], memory[half:]))
    return 0 if flat else 1


if __name__ == "__main__":
    raise SystemExit(main())

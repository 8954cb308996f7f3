# flawed: signal-before-ready
# why: a pause stands for the handler, and a function of the project's sends the signal
import subprocess
import sys
import time

from tree import kill_tree, wait_gone


def test_stubborn_process_is_killed():
    stubborn = subprocess.Popen([sys.executable, "-c", "import signal, time; signal.signal(signal.SIGTERM, print); time.sleep(600)"])
    time.sleep(0.4)
    report = kill_tree(stubborn.pid, grace=1.0)
    assert wait_gone([stubborn.pid])
    assert stubborn.pid in report["killed"]

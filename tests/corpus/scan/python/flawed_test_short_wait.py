# flawed: deadline-too-short
# why: 0.3 s is all that a SIGTERM gets before the test fails
import subprocess
import sys


def test_terminates_quickly():
    child = subprocess.Popen([sys.executable, "-m", "myapp.worker"], stdout=subprocess.PIPE, text=True)
    assert child.stdout.readline().startswith("listening")
    child.terminate()
    assert child.wait(timeout=0.3) == 0

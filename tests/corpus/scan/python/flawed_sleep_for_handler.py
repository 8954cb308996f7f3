# flawed: signal-before-ready
# why: the interpreter may need longer than 0.2 s to set its handler
import signal
import subprocess
import sys
import time

CHILD = "import signal, time; signal.signal(signal.SIGUSR1, lambda *a: print('hi', flush=True)); time.sleep(5)"


def test_usr1_prints():
    proc = subprocess.Popen([sys.executable, "-c", CHILD], stdout=subprocess.PIPE)
    time.sleep(0.2)
    proc.send_signal(signal.SIGUSR1)
    assert proc.stdout.readline() == b"hi\n"
    proc.kill()
    proc.wait()

# flawed: fixed-sleep
# why: half a second stands for the exit of a pexpect child
import signal
import time

import pexpect


def test_sigint_exits():
    child = pexpect.spawn("python3 -m repl")
    child.expect(">>> ")
    child.kill(signal.SIGINT)
    time.sleep(0.5)
    assert not child.isalive()

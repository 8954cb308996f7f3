# flawed: signal-before-ready
# why: nothing waits for the stages before they get the signal that they are to handle
import signal
import subprocess


def test_group_gets_the_signal(init):
    leader = subprocess.Popen([init, "-g", "stage_one"])
    leader.send_signal(signal.SIGUSR1)
    assert leader.wait(timeout=30) == 0

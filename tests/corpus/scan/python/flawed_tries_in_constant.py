# flawed: deadline-too-short
# why: a constant of the module says how often it is asked: three times, a tenth of a second apart
import time

import pexpect

_ASKED = 3


def test_hangup_ends_the_shell():
    shell = pexpect.spawn("sh")
    shell.expect("[$] ")
    shell.kill(1)
    for _ in range(_ASKED):
        if not shell.isalive():
            break
        time.sleep(0.1)
    else:
        raise AssertionError("the shell lives on")

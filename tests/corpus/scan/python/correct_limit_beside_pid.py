# correct
# why: the look is given ten seconds
import os
import signal

from daemons import Daemon


def test_term_ends_the_daemon():
    daemon = Daemon.started()
    os.kill(daemon.pid, signal.SIGTERM)
    assert daemon.is_dead(daemon.pid, 10)

# flawed: check-before-exit
# why: the look is given nothing, and can only be about the server that was killed on the line above
import os
import signal


def test_comes_back_after_a_crash(server):
    server.ensure_started()
    os.kill(server.pid, signal.SIGKILL)
    assert not echo_server_running()
    server.ensure_started()
    assert echo_server_running()

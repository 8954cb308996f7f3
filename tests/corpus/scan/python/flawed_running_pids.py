# flawed: check-before-exit
# why: a function that lists what runs is asked right after the signal
def test_not_listed(server):
    assert server.pid in running_pids()
    os.kill(server.pid, signal.SIGTERM)
    assert server.pid not in running_pids()

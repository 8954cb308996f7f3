# correct
# why: waits for the end before the list is read
def test_listed(server):
    assert server.pid in running_pids()
    server.reload()
    assert server.pid in running_pids()
    old = server.pid
    os.kill(server.pid, signal.SIGTERM)
    wait_gone(old)
    assert old not in running_pids()

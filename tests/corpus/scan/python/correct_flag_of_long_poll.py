# correct
# why: ten seconds, and what the poll found is asserted
def test_killed(runner):
    pid = runner.start_background("sleep 60")
    runner.stop_all()
    gone = False
    for _ in range(100):
        if not psutil.pid_exists(pid):
            gone = True
            break
        time.sleep(0.1)
    assert gone

# flawed: deadline-too-short
# why: what a poll of one second found is carried out in a variable and asserted
def test_killed(runner):
    pid = runner.start_background("sleep 60")
    runner.stop_all()
    gone = False
    for _ in range(10):
        if not psutil.pid_exists(pid):
            gone = True
            break
        time.sleep(0.1)
    assert gone

# flawed: signal-before-ready
# why: the pid file is there before the handler is set, and a pause stands for the wait
def test_daemon(tmp_path):
    run(["daemonctl", "start"])
    pid = int(poll_text(tmp_path / "d.pid"))
    time.sleep(0.5)
    os.kill(pid, signal.SIGHUP)
    wait_for_log("reloaded")

# correct
# why: the short poll asks whether the child lives
def test_still_runs(runner):
    proc = subprocess.Popen(["server"])
    alive = False
    for _ in range(10):
        if proc.poll() is None:
            alive = True
            break
        time.sleep(0.05)
    assert alive
    proc.kill()
    proc.wait()

# correct
# why: poll() reaps a child that ended at once
def start(cmd):
    proc = subprocess.Popen(cmd, start_new_session=True)
    time.sleep(0.5)
    if proc.poll() is not None:
        raise RuntimeError("ended at once")
    return proc.pid

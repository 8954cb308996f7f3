# flawed: zombie-counted-alive
# why: a child that ended at once is a zombie, and has its entry in /proc
def start(cmd):
    proc = subprocess.Popen(cmd, start_new_session=True)
    time.sleep(0.5)
    if not os.path.exists(f"/proc/{proc.pid}"):
        raise RuntimeError("ended at once")
    return proc.pid

# correct
# why: the whole group is signalled
def test_group():
    proc = subprocess.Popen("npm run dev", shell=True, start_new_session=True)
    wait_for_port(3000)
    os.killpg(proc.pid, signal.SIGTERM)
    proc.wait()

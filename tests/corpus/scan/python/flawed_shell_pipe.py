# flawed: survivor
# why: only the shell of a pipe is signalled, the server goes on
def test_tool():
    proc = subprocess.Popen("python server.py | tee log.txt", shell=True)
    wait_for_port(3000)
    proc.terminate()
    proc.wait()

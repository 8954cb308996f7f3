# flawed: survivor
# why: only the shell is killed, npm and the server go on
def test_server():
    proc = subprocess.Popen("npm run dev", shell=True)
    wait_for_port(3000)
    assert requests.get("http://localhost:3000").ok
    proc.kill()
    proc.wait()

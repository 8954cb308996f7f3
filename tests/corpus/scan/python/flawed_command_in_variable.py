# flawed: fixed-sleep
# why: curl, whose command a variable holds, needs the server after a pause
import subprocess
import time


def test_page(tmp_path):
    ask = f"curl -s http://localhost:8123/ > {tmp_path}/page"
    server = subprocess.Popen(["python", "-m", "http.server", "8123"])
    time.sleep(2)
    subprocess.run(ask, shell=True, check=True)
    assert (tmp_path / "page").read_text()
    server.kill()
    server.wait()

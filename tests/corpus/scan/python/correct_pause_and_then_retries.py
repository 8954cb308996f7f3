# correct
# why: what waits for the site is the loop; the pause before it decides nothing
import subprocess
import time
import urllib.request


def test_front_page():
    site = subprocess.Popen(["./site", "--port", "8123"])
    time.sleep(0.2)
    for _ in range(300):
        try:
            page = urllib.request.urlopen("http://localhost:8123/").read()
            break
        except OSError:
            time.sleep(0.1)
    assert b"welcome" in page
    site.kill()
    site.wait()

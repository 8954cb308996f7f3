# correct
# why: subprocess.run() returns after the exit; the time-out kills and reaps by itself
import subprocess
import sys

import pytest


def test_timeout_kills():
    with pytest.raises(subprocess.TimeoutExpired):
        subprocess.run([sys.executable, "-c", "import time; time.sleep(100)"], timeout=0.2)


def test_exit_code():
    done = subprocess.run(["kill", "-l"], capture_output=True, check=False)
    assert done.returncode == 0

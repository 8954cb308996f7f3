# flawed: fixed-sleep
# why: the fixture ends after a pause, and the tests connect to what may not listen yet
import subprocess
import time

import pytest


@pytest.fixture(scope="module", autouse=True)
def broker(request):
    child = subprocess.Popen(["broker", "--quiet"])
    time.sleep(1.5)
    request.addfinalizer(child.kill)

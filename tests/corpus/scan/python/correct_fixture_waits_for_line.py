# correct
# why: the fixture ends when the broker has said that it listens
import subprocess
import time

import pytest


@pytest.fixture(scope="module", autouse=True)
def broker(request):
    child = subprocess.Popen(["broker", "--quiet"], stdout=subprocess.PIPE, text=True)
    request.addfinalizer(child.kill)
    time.sleep(0.1)
    assert child.stdout.readline() == "listening\n"

# correct
# why: the pause is for the greeting; what ends the process comes after it
import os
import time

import pytest


def test_stop_leaves_nothing(service):
    service.start()
    pid = service.pid()
    service.greet()
    time.sleep(0.1)
    assert service.greetings == ["hello"]
    service.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)

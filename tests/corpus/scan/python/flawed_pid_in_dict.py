# flawed: fixed-sleep
# why: 200 ms after the call its child is taken to be gone; its pid is kept in a dict
import os
import time

import pytest


def test_interrupted_run_leaves_no_child(run, monkeypatch):
    seen = {}

    def interrupted(process):
        seen["pid"] = process.pid
        raise KeyboardInterrupt

    monkeypatch.setattr("tool.watch", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(["sleep", "30"])
    time.sleep(0.2)
    with pytest.raises(ProcessLookupError):
        os.kill(seen["pid"], 0)

# correct
# why: production code: escalates and waits, asserts nothing
import logging
import os
import signal
import subprocess
import time

log = logging.getLogger(__name__)


class Worker:
    def __init__(self, argv):
        self.process = subprocess.Popen(argv, start_new_session=True)

    def stop(self, grace=5):
        if self.process.poll() is not None:
            return
        try:
            os.killpg(self.process.pid, signal.SIGTERM)
        except ProcessLookupError:
            log.info("worker %d had gone already", self.process.pid)
            return
        time.sleep(0.1)
        if self.process.poll() is None:
            try:
                self.process.wait(timeout=grace)
            except subprocess.TimeoutExpired:
                log.warning("worker failed to stop, killing it")
                self.process.kill()
                self.process.wait()

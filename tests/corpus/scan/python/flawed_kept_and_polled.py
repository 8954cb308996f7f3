# flawed: zombie-counted-alive
# why: start() keeps the child, nothing reaps it, and the loop ends by its limit alone
import os
import subprocess
import time


class Player:
    def start(self, path):
        self.player = subprocess.Popen(["player", path])

    def stop(self):
        self.connection.send(b"quit")
        for _ in range(50):
            try:
                os.kill(self.player.pid, 0)
            except OSError:
                return True
            time.sleep(0.1)
        return False

# correct
# why: the pause only lets the child work, and nobody asks what came of it
import subprocess
import time


def show():
    child = subprocess.Popen(["./fireworks", "--colours", "7"])
    time.sleep(5)
    child.terminate()
    child.wait()
    print("that was all")

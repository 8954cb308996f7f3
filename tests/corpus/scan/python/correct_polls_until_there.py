# correct
# why: the loop goes on until the child is there, and not until it is gone
import subprocess
import time

import psutil


def start(command):
    child = subprocess.Popen(command)
    while not psutil.pid_exists(child.pid):
        time.sleep(0.2)
    return child

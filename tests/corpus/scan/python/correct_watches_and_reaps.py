# correct
# why: poll() reaps the child that the loop watches
import subprocess
import time

import psutil


def record(command, samples):
    child = subprocess.Popen(command)
    while psutil.pid_exists(child.pid) and child.poll() is None:
        samples.append(time.monotonic())
        time.sleep(0.2)
    return samples

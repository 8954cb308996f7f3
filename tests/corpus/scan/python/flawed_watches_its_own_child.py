# flawed: zombie-counted-alive
# why: nobody reaps the child, so that its pid exists for as long as its parent looks
import subprocess
import time

import psutil


def record(command, samples):
    child = subprocess.Popen(command)
    while psutil.pid_exists(child.pid):
        samples.append(time.monotonic())
        time.sleep(0.2)
    return samples

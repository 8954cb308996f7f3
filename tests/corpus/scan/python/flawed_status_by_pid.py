# flawed: zombie-counted-alive
# why: nothing in the file reaps the workers, so that kill(pid, 0) finds them for ever
import os, subprocess
workers = {}
def start(name, command):
    workers[name] = subprocess.Popen(command)
def is_up(name):
    try:
        os.kill(workers[name].pid, 0)
        return True
    except ProcessLookupError:
        return False

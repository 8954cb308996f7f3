# correct
# why: somebody polls the workers, which reaps them
import os, subprocess
workers = {}
def start(name, command):
    workers[name] = subprocess.Popen(command)
def reap():
    for worker in workers.values():
        worker.poll()
def is_up(name):
    try:
        os.kill(workers[name].pid, 0)
        return True
    except ProcessLookupError:
        return False

# flawed: deadline-too-short
# why: the limit of the wait is a constant of the module, and half a second
import subprocess

EXIT_LIMIT_S = 0.5


def test_terminate_ends_the_server():
    server = subprocess.Popen(["./server"], stdout=subprocess.PIPE)
    server.stdout.readline()
    server.terminate()
    server.wait(timeout=EXIT_LIMIT_S)

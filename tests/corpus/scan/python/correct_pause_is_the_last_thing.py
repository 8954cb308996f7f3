# correct
# why: the function only keeps a child busy; the pause is all that it does, and its caller kills the group
import multiprocessing
import time


def keep_busy(connection):
    child = multiprocessing.Process(target=report, args=(connection,))
    child.start()
    time.sleep(300)


def report(connection):
    connection.send("alive")

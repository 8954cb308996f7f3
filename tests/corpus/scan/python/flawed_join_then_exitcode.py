# flawed: deadline-too-short
# why: join says nothing when its half second is up, and then there is no exit code
import multiprocessing
def test_worker_stops(queue):
    worker = multiprocessing.Process(target=work, args=(queue,))
    worker.start()
    queue.put(None)
    worker.join(timeout=0.5)
    assert worker.exitcode == 0

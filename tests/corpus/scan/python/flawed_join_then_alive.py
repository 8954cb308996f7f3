# flawed: deadline-too-short
# why: the join may time out in silence, and then the process is taken to be gone
import multiprocessing


def test_ends(serve):
    server = multiprocessing.Process(target=serve)
    server.start()
    server.terminate()
    server.join(0.5)
    assert not server.is_alive()

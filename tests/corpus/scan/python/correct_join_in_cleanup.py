# correct
# why: the short join only clears up; it raises nothing, and nobody looks afterwards
import multiprocessing


def test_answers(serve, ask):
    server = multiprocessing.Process(target=serve)
    server.start()
    try:
        assert ask() == "pong"
    finally:
        server.terminate()
        server.join(1)

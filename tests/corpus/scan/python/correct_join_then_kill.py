# correct
# why: the short join only decides whether to use SIGKILL
def stop(proc):
    proc.terminate()
    proc.join(1)
    if proc.is_alive():
        proc.kill()
        proc.join()
    assert not proc.is_alive()
def test_it():
    proc = multiprocessing.Process(target=work)
    proc.start()
    stop(proc)

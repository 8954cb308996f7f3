# correct
# why: the end of the output is waited for, and the library's look blocks after it
import pexpect


def test_repl_ends_on_hangup():
    repl = pexpect.spawn("cat", timeout=10)
    repl.kill(9)
    repl.expect(pexpect.EOF)
    assert not repl.isalive()


def test_repl_is_terminated():
    repl = pexpect.spawn("cat", timeout=10)
    assert repl.terminate(force=True) == True
    assert not repl.isalive()

# flawed: check-before-exit
# why: the prompt that is waited for came before the signal, and says nothing of the end
import pexpect


def test_repl_ends_on_hangup():
    repl = pexpect.spawn("python3 -i", timeout=10)
    repl.expect(">>> ")
    repl.kill(15)
    assert not repl.isalive()

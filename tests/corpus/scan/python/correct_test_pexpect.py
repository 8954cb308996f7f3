# correct
# why: expect(EOF) and wait come before isalive
import pexpect


def test_shell_exits():
    shell = pexpect.spawn("bash --norc")
    shell.expect(r"\$ ")
    shell.sendline("exit")
    shell.expect(pexpect.EOF)
    shell.wait()
    assert not shell.isalive()

# flawed: check-before-exit
# why: nothing waits between SIGKILL and the look, and the handlers do nothing at all
class KillTest < Minitest::Test
  def test_kill
    pid = spawn("sleep 60")
    begin; Process.kill("KILL", pid); rescue; end
    assert_raises(Errno::ESRCH) { Process.kill(0, pid) }
  ensure
    begin; Process.wait(pid); rescue; end if pid
  end
end

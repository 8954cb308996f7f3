# correct
# why: Process.wait reaps it before the probe
require "minitest/autorun"

class KillOkTest < Minitest::Test
  def test_term_ends_it
    pid = Process.spawn("sleep 60")
    Process.kill(:TERM, pid)
    _, status = Process.wait2(pid)
    assert status.signaled?
    assert_raises(Errno::ESRCH) { Process.kill(0, pid) }
  end
end

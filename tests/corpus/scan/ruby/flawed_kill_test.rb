# flawed: check-before-exit
# why: TERM and getpgid in the next line
require "minitest/autorun"

class KillTest < Minitest::Test
  def test_term_ends_it
    pid = Process.spawn("sleep 60")
    Process.kill(:TERM, pid)
    assert_raises(Errno::ESRCH) { Process.getpgid(pid) }
  end
end

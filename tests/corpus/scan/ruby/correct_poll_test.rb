# correct
# why: the look is repeated below a time-out
require "minitest/autorun"
require "timeout"

class DaemonTest < Minitest::Test
  def alive?(pid)
    Process.kill(0, pid)
    true
  rescue Errno::ESRCH
    false
  end

  def test_quits_on_int
    pid = spawn("ruby", "daemon.rb")
    Process.detach(pid)
    wait_until_listening(9292)
    Process.kill(:INT, pid)
    Timeout.timeout(20) { sleep 0.05 while alive?(pid) }
    refute alive?(pid)
  end
end

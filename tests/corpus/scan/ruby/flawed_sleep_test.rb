# flawed: fixed-sleep
# why: half a second stands for the wait
require "minitest/autorun"

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
    sleep 0.5
    refute alive?(pid)
  end
end

# flawed: fixed-sleep
# why: the two seconds that the shell sleeps stand for the wait until the worker is gone
require "minitest/autorun"

class WorkerTest < Minitest::Test
  def test_ends_with_its_master
    worker = File.read("tmp/worker.pid").to_i
    Process.kill("TERM", worker)
    system("sleep 2")
    assert_raises(Errno::ESRCH) { Process.kill(0, worker) }
  end
end

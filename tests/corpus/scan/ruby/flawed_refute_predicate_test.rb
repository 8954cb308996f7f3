# flawed: fixed-sleep
# why: half a second stands for the wait until the child is gone
class RunnerTest < Minitest::Test
  def test_stop
    child = ChildProcess.build("worker", "--forever")
    child.start
    child.terminate
    sleep 0.5
    refute_predicate child, :alive?
  end
end

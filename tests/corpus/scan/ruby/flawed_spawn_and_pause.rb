# flawed: fixed-sleep
# why: a second stands for the mill being up when it is asked
def test_answers
  pid = spawn("bin/mill")
  sleep 1
  assert_equal "pong", ask("ping")
  Process.kill(:KILL, pid)
  Process.wait(pid)
end

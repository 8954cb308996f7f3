# correct
# why: the mill prints a line when it is up
def test_answers
  mill = IO.popen("bin/mill")
  sleep 0.1
  raise "not up" unless mill.gets == "up\n"
  assert_equal "pong", ask("ping")
  Process.kill(:KILL, mill.pid)
  Process.wait(mill.pid)
end

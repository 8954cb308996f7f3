# flawed: fixed-sleep
# why: the log is asserted after a pause of a guessed length
def test_log_is_reopened
  server = spawn("serve", out: @log_path)
  wait_for_line @log_path
  Process.kill :HUP, server
  sleep 0.5
  assert_match "started", File.read(@log_path)
ensure
  Process.kill :KILL, server
  Process.wait server
end

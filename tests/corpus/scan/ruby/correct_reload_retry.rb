# correct
# why: the log is read again and again until it has something; the bare name calls the helper that waits for the boot
def wait_for_line(path)
  File.open(path) do |file|
    begin
      file.read_nonblock 1
    rescue EOFError
      sleep 0.1
      retry
    end
  end
end

def test_log_is_reopened
  server = spawn("serve", out: @log_path)
  wait_for_line @log_path
  Process.kill :HUP, server
  wait_for_line @log_path
  assert_match "started", File.read(@log_path)
ensure
  Process.kill :KILL, server
  Process.wait server
end

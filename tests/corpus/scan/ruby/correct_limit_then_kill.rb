# correct
# why: the second only decides whether to use SIGKILL
require "timeout"

def stop(pid)
  Process.kill("TERM", pid)
  Timeout.timeout(1) { Process.wait(pid) }
rescue Timeout::Error
  Process.kill("KILL", pid)
  Process.wait(pid)
end

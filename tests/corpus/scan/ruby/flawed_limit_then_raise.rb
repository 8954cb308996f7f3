# flawed: deadline-too-short
# why: the compiler gets one second, and is then killed and the error raised
require "timeout"

def compile(file)
  pid = spawn("compiler", file)
  Timeout.timeout(1) { Process.wait(pid) }
rescue Timeout::Error
  Process.kill("KILL", pid)
  raise
end

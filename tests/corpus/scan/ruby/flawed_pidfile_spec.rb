# flawed: signal-before-ready
# why: the pid file is read right after the start
RSpec.describe "daemon" do
  it "starts" do
    pid = Process.spawn("bin/daemon --pid-file tmp/daemon.pid")
    daemon_pid = File.read("tmp/daemon.pid").to_i
    Process.kill("TERM", daemon_pid)
    Process.wait(pid)
  end
end

# flawed: check-before-exit
# why: the pid is looked for straight after the signal
RSpec.describe Runner do
  it "stops the worker" do
    pid = Process.spawn("sleep 30")
    Process.kill("TERM", pid)
    expect { Process.getpgid(pid) }.to raise_error(Errno::ESRCH)
  end
end

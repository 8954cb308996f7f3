# correct
# why: Process.wait reaps the child before the look
RSpec.describe Runner do
  it "stops the worker" do
    pid = Process.spawn("sleep 30")
    Process.kill("TERM", pid)
    Process.wait(pid)
    expect { Process.kill(0, pid) }.to raise_error(Errno::ESRCH)
  end
end

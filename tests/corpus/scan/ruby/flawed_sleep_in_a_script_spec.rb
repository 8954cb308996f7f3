# flawed: fixed-sleep
# why: the monitor is given two seconds to notice
RSpec.describe "monitor" do
  it "ends with what it watches" do
    pid = Process.spawn("bin/monitor --watch app")
    Process.detach(pid)
    shell.run("bin/app stop && sleep 2")
    expect { Process.kill(0, pid) }.to raise_error(Errno::ESRCH)
  end
end

# flawed: check-before-exit
# why: RSpec's let starts the process, the example kills it and looks at once
RSpec.describe Killer do
  let(:pid) { Process.spawn("sleep 60") }
  it "kills" do
    Process.kill("KILL", pid)
    expect { Process.getpgid(pid) }.to raise_error(Errno::ESRCH)
  end
end

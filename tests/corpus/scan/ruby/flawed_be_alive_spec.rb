# flawed: check-before-exit
# why: the matcher asks once, right after the signal
RSpec.describe Runner do
  it "ends its child" do
    child = ChildProcess.build("worker", "--forever")
    child.start
    child.io.wait_for_line("ready")
    Process.kill("TERM", child.pid)
    expect(child).not_to be_alive
  end
end

# correct
# why: it has to live before the signal, and is waited for after it
RSpec.describe Runner do
  it "ends its child" do
    child = ChildProcess.build("worker", "--forever")
    child.start
    expect(child).to be_alive
    Process.kill("TERM", child.pid)
    child.wait
    expect(child).not_to be_alive
  end
end

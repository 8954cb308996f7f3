# correct
# why: wait_thr.value waits for the end
require "open3"

describe "tool" do
  it "ends on TERM" do
    stdin, stdout, wait_thr = Open3.popen2("tool", "--watch")
    stdout.gets
    Process.kill("TERM", wait_thr.pid)
    status = wait_thr.value
    expect(status.termsig).to eq(15)
    expect(wait_thr.alive?).to be(false)
    stdin.close
  end
end

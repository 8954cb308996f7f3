# correct
# why: polls inside Timeout
require "timeout"

RSpec.describe "worker" do
  it "dies" do
    worker_pid = read_worker_pid
    Process.kill("KILL", worker_pid)
    Timeout.timeout(15) do
      sleep 0.05 while alive?(worker_pid)
    end
  end

  def alive?(pid)
    Process.kill(0, pid)
    true
  rescue Errno::ESRCH
    false
  end
end

# correct
# why: WNOHANG is repeated until the child is reaped
describe Pool do
  def reap(pid, limit = 10)
    deadline = Process.clock_gettime(Process::CLOCK_MONOTONIC) + limit
    until Process.waitpid(pid, Process::WNOHANG)
      raise "#{pid} still alive" if Process.clock_gettime(Process::CLOCK_MONOTONIC) > deadline
      sleep 0.02
    end
  end

  it "kills its workers" do
    pid = fork { sleep 100 }
    Process.kill(:KILL, pid)
    reap(pid)
    expect(File.exist?("/proc/#{pid}")).to be(false)
  end
end

# flawed: check-before-exit
# why: WNOHANG straight after the kill gives nil for a child that has not run yet
describe Pool do
  it "kills its workers" do
    pool = Pool.new
    pid = fork { sleep 100 }
    Process.kill(:KILL, pid)
    expect(Process.waitpid(pid, Process::WNOHANG)).not_to be_nil
  end
end

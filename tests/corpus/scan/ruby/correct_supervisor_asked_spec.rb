# correct
# why: the runner is asked to stop and waited for; it ends its workers itself
describe "runner" do
  def finish(output, thread)
    text = output.read
    [text, thread.value]
  end

  def expect_gone(pids)
    pids.each do |pid|
      expect { Process.kill(0, pid) }.to raise_error(Errno::ESRCH)
    end
  end

  it "stops every worker" do
    stdin, output, thread = start_runner
    stdin.close
    wait_for_workers
    pids = worker_pids
    Process.kill("INT", thread.pid)
    text, _status = finish(output, thread)
    expect(text).to include("Finished")
    expect_gone(pids)
  end
end

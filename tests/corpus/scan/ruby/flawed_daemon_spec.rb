# flawed: fixed-sleep
# why: stop, sleep 1, and the pid must be gone
require "spec_helper"

RSpec.describe MyApp::Daemon do
  it "stops the process" do
    daemon = described_class.new
    daemon.start
    pid = daemon.pid
    daemon.stop
    sleep 1
    expect { Process.kill(0, pid) }.to raise_error(Errno::ESRCH)
  end
end

# flawed: fixed-sleep
# why: the pid file has to be there after a pause
require "minitest/autorun"

class DaemonizerTest < Minitest::Test
  def test_pid_file_is_written
    daemonizer = Daemonizer.new("server.pid")
    daemonizer.daemonize { loop { sleep 1 } }
    sleep 1
    assert File.exist?("server.pid")
  end
end

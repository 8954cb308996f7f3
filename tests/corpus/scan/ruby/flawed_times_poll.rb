# flawed: zombie-counted-alive
# why: polls /proc in a block that is called a hundred times, and nobody reaps the child
class TestKill < Minitest::Test
  def test_kill
    pid = fork { sleep }
    Process.kill(:KILL, pid)
    100.times do
      break unless File.exist?("/proc/#{pid}")
      sleep 0.1
    end
    refute File.exist?("/proc/#{pid}")
  end
end

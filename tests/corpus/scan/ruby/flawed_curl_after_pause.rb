# flawed: fixed-sleep
# why: three seconds stand for the wait until the server listens, and curl asks once
require "minitest/autorun"

class ServerTest < Minitest::Test
  def test_answers
    pid = fork { exec "bin/thumbnails", "--bind", "127.0.0.1:8085" }
    sleep 3
    assert system("curl", "-sf", "http://127.0.0.1:8085/ping")
  ensure
    Process.kill("TERM", pid)
    Process.wait(pid)
  end
end

# correct
# why: curl asks again until the server listens
require "minitest/autorun"

class ServerTest < Minitest::Test
  def test_answers
    pid = fork { exec "bin/thumbnails", "--bind", "127.0.0.1:8085" }
    assert system("curl", "-sf", "--retry", "20", "--retry-connrefused", "http://127.0.0.1:8085/ping")
  ensure
    Process.kill("TERM", pid)
    Process.wait(pid)
  end
end

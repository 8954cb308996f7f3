# correct
# why: the second start is a client of the server; both have to live still, and the boot was waited for
def wait_for_boot
  true until @server.gets.include?("listening")
end

def start_server
  @server = IO.popen("serve -b tcp://127.0.0.1:#{@tcp_port}")
  wait_for_boot
  @pid = @server.pid
end

def test_second_client_is_refused
  start_server
  first = Open3.popen3("curl http://127.0.0.1:#{@tcp_port}/slow")
  sleep 1
  Process.kill :TERM, @pid
  second = Open3.popen3("curl http://127.0.0.1:#{@tcp_port}/")
  assert nil != Process.getpgid(@server.pid)
  second.last.join
  first.last.join
  Process.wait @pid
end

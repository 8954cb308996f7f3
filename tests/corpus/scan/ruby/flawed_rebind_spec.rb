# flawed: resource-still-held
# why: the port is bound while the old server may still hold it
require "socket"

describe "restart" do
  it "frees its port" do
    port = 9393
    server = spawn("puma", "-p", port.to_s)
    wait_for_port(port)
    Process.kill("TERM", server)
    listener = TCPServer.new("127.0.0.1", port)
    listener.close
    Process.wait(server)
  end
end

# flawed: fixed-sleep
# why: a pause stands for the start of the server
require "net/http"

RSpec.describe "server" do
  before do
    @pid = spawn("ruby", "bin/server", "-p", "9393")
    sleep 2
  end

  after do
    Process.kill("TERM", @pid)
    Process.wait(@pid)
  end

  it "answers" do
    expect(Net::HTTP.get(URI("http://127.0.0.1:9393/"))).to include("ok")
  end
end

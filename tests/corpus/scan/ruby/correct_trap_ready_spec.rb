# correct
# why: the child writes a line when its trap is set
describe "restart signal" do
  it "prints a line" do
    reader, writer = IO.pipe
    pid = fork do
      reader.close
      trap("USR2") { writer.puts "restarting"; exit 0 }
      writer.puts "ready"
      sleep
    end
    writer.close
    expect(reader.gets).to eq("ready\n")
    Process.kill("USR2", pid)
    expect(reader.gets).to eq("restarting\n")
    Process.wait(pid)
  end
end

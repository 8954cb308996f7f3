# flawed: signal-before-ready
# why: the child may get USR2 before trap has run
describe "restart signal" do
  it "prints a line" do
    reader, writer = IO.pipe
    pid = fork do
      reader.close
      trap("USR2") { writer.puts "restarting"; exit 0 }
      sleep
    end
    writer.close
    Process.kill("USR2", pid)
    expect(reader.gets).to eq("restarting\n")
    Process.wait(pid)
  end
end

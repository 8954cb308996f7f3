# flawed: assign-after-exit
# why: the write fails for a child that has ended
def run(command)
  pid = spawn(command)
  File.write("/sys/fs/cgroup/limited/cgroup.procs", pid.to_s)
  Process.wait(pid)
end

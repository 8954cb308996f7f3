# flawed: assign-after-exit
# why: the file was opened before, and the write fails for a child that has ended
def start(self, command):
    self.proc = subprocess.Popen(command)
    with open(os.path.join(self.cgroup, "cgroup.procs"), "w") as f:
        f.write(str(self.proc.pid))

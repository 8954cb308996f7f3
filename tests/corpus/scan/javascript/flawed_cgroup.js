// flawed: assign-after-exit
// why: the write fails for a child that has ended
function run(command, args) {
  const child = spawn(command, args);
  fs.writeFileSync('/sys/fs/cgroup/limited/cgroup.procs', String(child.pid));
  return once(child, 'exit');
}

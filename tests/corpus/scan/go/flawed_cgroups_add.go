// flawed: assign-after-exit
// why: containerd's cgroups fail for a child that has ended
package a
func run(control cgroups.Cgroup, cmd *exec.Cmd) error {
	if err := cmd.Start(); err != nil { return err }
	if err := control.Add(cgroups.Process{Pid: cmd.Process.Pid}); err != nil { return err }
	return cmd.Wait()
}

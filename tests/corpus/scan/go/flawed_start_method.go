// flawed: assign-after-exit
// why: cmd.Start() in a method called Start starts a process too, which may have ended before it joins the group
package shim

import (
	"context"
	"fmt"
	"os/exec"
)

func (s *Shim) Start(ctx context.Context, cgroup *cgroups.Manager) error {
	cmd := exec.CommandContext(ctx, s.path, s.arguments...)
	if err := cmd.Start(); err != nil {
		return err
	}
	go cmd.Wait()
	if err := cgroup.AddProc(uint64(cmd.Process.Pid)); err != nil {
		return fmt.Errorf("join the group: %w", err)
	}
	return nil
}

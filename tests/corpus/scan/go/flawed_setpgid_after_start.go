// flawed: assign-after-exit
// why: the child may have called exec, or ended, before its parent gives it a group
package shell

import (
	"fmt"
	"os/exec"
	"syscall"
)

func launch(stages []*exec.Cmd) (int, error) {
	group := 0
	for _, stage := range stages {
		if err := stage.Start(); err != nil {
			return 0, err
		}
		if group == 0 {
			group = stage.Process.Pid
		}
		if err := syscall.Setpgid(stage.Process.Pid, group); err != nil {
			return 0, fmt.Errorf("group of %d: %w", stage.Process.Pid, err)
		}
	}
	return group, nil
}

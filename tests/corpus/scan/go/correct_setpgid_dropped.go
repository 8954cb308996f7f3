// correct
// why: both sides set the group, and the parent does not care whether it was too late
package shell

import (
	"os/exec"
	"syscall"
)

func launch(stage *exec.Cmd) (int, error) {
	stage.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := stage.Start(); err != nil {
		return 0, err
	}
	_ = syscall.Setpgid(stage.Process.Pid, stage.Process.Pid)
	return stage.Process.Pid, nil
}

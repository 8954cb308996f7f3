// correct
// why: who is not gone within a second gets the stronger signal, and is waited for
package work

import (
	"os/exec"
	"syscall"
	"time"
)

func stop(command *exec.Cmd) error {
	pid := command.Process.Pid
	_ = syscall.Kill(pid, syscall.SIGTERM)
	alive := true
	for attempt := 0; attempt < 50; attempt++ {
		if err := syscall.Kill(pid, 0); err != nil {
			alive = false
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if alive {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	return command.Wait()
}

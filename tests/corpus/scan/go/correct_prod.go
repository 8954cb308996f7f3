// correct
// why: production code with a grace period
package supervisor

import (
	"log"
	"os/exec"
	"syscall"
	"time"
)

type Supervisor struct {
	cmd  *exec.Cmd
	done chan struct{}
}

func (s *Supervisor) Halt() {
	if s.cmd == nil || s.cmd.Process == nil {
		return
	}
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		log.Printf("signal: %v", err)
	}
	select {
	case <-s.done:
	case <-time.After(200 * time.Millisecond):
		log.Printf("pid %d failed to stop in time, killing", s.cmd.Process.Pid)
		_ = s.cmd.Process.Kill()
		<-s.done
	}
}

// flawed: check-before-exit
// why: a helper wraps signal 0, asked once after Kill
package sup

import (
	"os"
	"os/exec"
	"syscall"
	"testing"
)

func alive(pid int) bool {
	p, err := os.FindProcess(pid)
	if err != nil {
		return false
	}
	return p.Signal(syscall.Signal(0)) == nil
}

func TestKill(t *testing.T) {
	cmd := exec.Command("sleep", "100")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pid := cmd.Process.Pid
	cmd.Process.Kill()
	if alive(pid) {
		t.Errorf("pid %d is alive", pid)
	}
}

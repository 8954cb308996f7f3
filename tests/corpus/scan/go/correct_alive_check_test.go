// correct
// why: the look demands that the process lives
package runner

import (
	"os/exec"
	"syscall"
	"testing"
)

func TestWinchIsIgnored(t *testing.T) {
	cmd := exec.Command("sleep", "100")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	_ = cmd.Process.Signal(syscall.SIGWINCH)
	if err := cmd.Process.Signal(syscall.Signal(0)); err != nil {
		t.Fatalf("process died: %v", err)
	}
}

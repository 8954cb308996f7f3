// correct
// why: half a minute is many times what the end of a process needs
package job

import (
	"os/exec"
	"syscall"
	"testing"
	"time"
)

func TestTermEndsTheJobAtOnce(t *testing.T) {
	cmd := exec.Command("sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	_ = cmd.Process.Signal(syscall.SIGTERM)
	_ = cmd.Wait()
	if elapsed := time.Since(start); elapsed > 30*time.Second {
		t.Fatalf("it took %v", elapsed)
	}
}

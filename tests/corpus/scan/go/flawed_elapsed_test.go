// flawed: deadline-too-short
// why: the end of the signalled process has to be seen within a second
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
	if elapsed := time.Since(start); elapsed > 800*time.Millisecond {
		t.Fatalf("it took %v", elapsed)
	}
}

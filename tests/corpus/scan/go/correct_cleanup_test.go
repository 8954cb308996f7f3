// correct
// why: kill and wait in a clean-up, nothing asserted after
package sup

import (
	"os/exec"
	"testing"
	"time"
)

func startServer(t *testing.T) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("./server")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for i := 0; i < 100; i++ {
		if ready() {
			return cmd
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("not ready")
	return nil
}

func TestServer(t *testing.T) {
	startServer(t)
}

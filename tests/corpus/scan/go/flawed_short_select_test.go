// flawed: deadline-too-short
// why: the exit after SIGTERM gets 100 ms
package runner

import (
	"os"
	"os/exec"
	"testing"
	"time"
)

func TestGracefulStop(t *testing.T) {
	cmd := exec.Command("./agent")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	cmd.Process.Signal(os.Interrupt)
	select {
	case <-done:
	case <-time.After(100 * time.Millisecond):
		t.Fatal("agent did not stop")
	}
}

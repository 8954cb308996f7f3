// correct
// why: the program itself is killed, and the goroutine that runs it is waited for
package docs

import (
	"os/exec"
	"testing"
	"time"
)

func TestToolRuns(t *testing.T) {
	cmd := exec.Command(toolPath(t), "--serve")
	finished := make(chan error, 1)
	go func() {
		finished <- cmd.Run()
	}()
	select {
	case err := <-finished:
		t.Fatal(err)
	case <-time.After(10 * time.Second):
		_ = cmd.Process.Kill()
		<-finished
	}
}

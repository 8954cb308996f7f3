// flawed: survivor
// why: a goroutine runs the command, and after the time limit only the go command is killed
package docs

import (
	"os/exec"
	"testing"
	"time"
)

func TestTutorialRuns(t *testing.T) {
	cmd := exec.Command("go", "run", "./tutorial/chat")
	finished := make(chan error, 1)
	go func() {
		_, err := cmd.CombinedOutput()
		finished <- err
	}()
	select {
	case err := <-finished:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(10 * time.Second):
		_ = cmd.Process.Kill()
		t.Log("still serving, as it should")
	}
}

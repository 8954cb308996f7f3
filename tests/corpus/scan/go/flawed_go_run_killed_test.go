// flawed: survivor
// why: the go command is killed, and the server that it built and started goes on
package e2e

import (
	"os/exec"
	"testing"
)

func TestAnswersAfterStart(t *testing.T) {
	cmd := exec.Command("go", "run", "./cmd/echoserver", "-listen", "127.0.0.1:7411")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	waitForListen(t, "127.0.0.1:7411")
	ask(t, "127.0.0.1:7411")
}

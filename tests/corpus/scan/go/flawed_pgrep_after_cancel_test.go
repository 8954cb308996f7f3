// flawed: fixed-sleep
// why: the context is cancelled, and after a pause pgrep has to fail
package launch

import (
	"os/exec"
	"testing"
	"time"
)

func TestCancelLeavesNobody(t *testing.T) {
	cancel := launchAll(t, []string{"worker-program", "-hang"})
	cancel()
	time.Sleep(100 * time.Millisecond)
	if err := exec.Command("pgrep", "worker-program").Run(); err == nil {
		t.Fatal("somebody is left")
	}
}

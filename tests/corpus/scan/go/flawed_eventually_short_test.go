// flawed: deadline-too-short
// why: 300 ms are less than a loaded machine needs
package runner

import (
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestTermEndsAgent(t *testing.T) {
	cmd := exec.Command("./agent")
	assert.NoError(t, cmd.Start())
	go cmd.Wait()
	waitUntilListening(t, ":9090")
	assert.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	assert.Eventually(t, func() bool {
		return cmd.Process.Signal(syscall.Signal(0)) != nil
	}, 300*time.Millisecond, 10*time.Millisecond)
}

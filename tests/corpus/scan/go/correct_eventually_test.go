// correct
// why: require.Eventually repeats the look for ten seconds
package runner

import (
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestCancelKillsGroup(t *testing.T) {
	cmd := exec.Command("bash", "-c", "sleep 30 & echo $! > pid; wait")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	require.NoError(t, cmd.Start())
	pid := waitForPidFile(t, "pid")
	require.NoError(t, syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL))
	_ = cmd.Wait()
	require.Eventually(t, func() bool {
		return syscall.Kill(pid, 0) == syscall.ESRCH
	}, 10*time.Second, 20*time.Millisecond)
}

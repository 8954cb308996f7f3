// correct
// why: half a minute is enough for the end, and a second is for a process that has to be there
package hooks

import (
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestHookIsStopped(t *testing.T) {
	data, err := os.ReadFile("pids")
	require.NoError(t, err)
	for _, field := range strings.Fields(string(data)) {
		pid := number(t, field)
		require.Eventually(t, func() bool {
			return syscall.Kill(pid, 0) == nil
		}, time.Second, 10*time.Millisecond, "process %d never came", pid)
	}

	require.Error(t, runHook("sleep 60 & sleep 60", 100*time.Millisecond))
	for _, field := range strings.Fields(string(data)) {
		pid := number(t, field)
		require.Eventually(t, func() bool {
			return syscall.Kill(pid, 0) != nil
		}, 30*time.Second, 10*time.Millisecond, "process %d is left", pid)
	}
}

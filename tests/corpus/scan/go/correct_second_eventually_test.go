// correct
// why: require.Eventually repeats the probe for 10 s
package manager

import (
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestManagerStop(t *testing.T) {
	m := New(t.TempDir())
	require.NoError(t, m.Start())
	pid := m.Pid()
	m.Stop()
	require.Eventually(t, func() bool {
		return syscall.Kill(pid, 0) == syscall.ESRCH
	}, 10*time.Second, 20*time.Millisecond)
}

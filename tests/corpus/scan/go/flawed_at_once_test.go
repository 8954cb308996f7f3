// flawed: signal-before-ready
// why: the exit status 0 needs a handler, and nothing waited until it is set
package a
func TestGraceful(t *testing.T) {
	cmd := exec.Command("./server")
	require.NoError(t, cmd.Start())
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(t, cmd.Wait())
}

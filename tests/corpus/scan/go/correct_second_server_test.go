// correct
// why: waits for the first server before the second is started
package a
func TestRestart(t *testing.T) {
	first := startServer(t, dir)
	require.NoError(t, first.Process.Kill())
	first.Wait()
	second := startServer(t, dir)
	second.Process.Kill()
	second.Wait()
}

// flawed: check-before-exit
// why: the same question about the pid is answered yes before the kill, and has to be answered no right after it
package a
func TestKill(t *testing.T) {
	cmd := exec.Command("sleep", "100")
	require.NoError(t, cmd.Start())
	require.True(t, procutil.Query(cmd.Process.Pid))
	require.NoError(t, cmd.Process.Kill())
	require.False(t, procutil.Query(cmd.Process.Pid))
}

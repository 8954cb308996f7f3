// flawed: deadline-too-short
// why: the select's time is held by a timer
package a
func TestStop(t *testing.T) {
	cmd := exec.Command("sleep", "60")
	assert.NoError(t, cmd.Start())
	errs := make(chan error)
	go func() { errs <- cmd.Wait() }()
	assert.NoError(t, cmd.Process.Kill())
	timer := time.NewTimer(500 * time.Millisecond)
	select {
	case <-errs:
	case <-timer.C:
		t.Error("not ended")
	}
}

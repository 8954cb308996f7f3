// flawed: deadline-too-short
// why: gomega polls for a second at most, written as a string
package a
func TestKill(t *testing.T) {
	g := NewWithT(t)
	cmd := exec.Command("sleep", "100")
	g.Expect(cmd.Start()).To(Succeed())
	go cmd.Wait()
	pid := cmd.Process.Pid
	KillTree(pid)
	g.Eventually(func() error { return syscall.Kill(pid, 0) }, "1s", "50ms").Should(HaveOccurred())
}

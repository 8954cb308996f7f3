// correct
// why: gomega expects that signal 0 reaches a live process
package a
func TestAlive(t *testing.T) {
	g := NewWithT(t)
	cmd := exec.Command("sleep", "100")
	g.Expect(cmd.Start()).To(Succeed())
	g.Expect(cmd.Process.Signal(syscall.Signal(0))).NotTo(HaveOccurred())
	g.Expect(cmd.Process.Kill()).To(Succeed())
	cmd.Wait()
}

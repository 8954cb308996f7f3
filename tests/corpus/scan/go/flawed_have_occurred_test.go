// flawed: check-before-exit
// why: gomega expects the error of signal 0 right after the kill
package a
var _ = Describe("kill", func() {
	It("ends", func() {
		cmd := exec.Command("sleep", "100")
		Expect(cmd.Start()).To(Succeed())
		Expect(cmd.Process.Kill()).To(Succeed())
		Expect(cmd.Process.Signal(syscall.Signal(0))).To(HaveOccurred())
	})
})

// flawed: check-before-exit
// why: a killer that is given a pid sends the signal, and the process is looked for at once
package process_test

var _ = Describe("killer", func() {
	It("kills the process", func() {
		cmd := exec.Command("sleep", "60")
		cmd.Start()
		pid := cmd.Process.Pid
		Expect(checker.Alive(pid)).To(BeTrue())
		Expect(killer.Kill(pid)).To(Succeed())
		Expect(checker.Alive(pid)).To(BeFalse())
	})
})

// correct
// why: the look is repeated until a deadline
package demo

import org.junit.jupiter.api.Test
import kotlin.test.fail

class PollTest {
    private fun awaitExit(process: Process) {
        val deadline = System.currentTimeMillis() + 10_000
        while (process.isAlive) {
            if (System.currentTimeMillis() > deadline) fail("still alive")
            Thread.sleep(20)
        }
    }

    @Test
    fun ends() {
        val process = ProcessBuilder("sleep", "100").start()
        process.destroy()
        awaitExit(process)
        check(!process.isAlive)
    }
}

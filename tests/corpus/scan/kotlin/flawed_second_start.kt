// flawed: resource-still-held
// why: the second server starts on the port of the first, which may still be open
package demo

import org.junit.jupiter.api.Test

class RestartTest {
    @Test
    fun restarts() {
        val port = 9099
        val first = ProcessBuilder("./server", "--port", "$port").start()
        awaitReady(first)
        first.destroy()
        val second = ProcessBuilder("./server", "--port", "$port").start()
        awaitReady(second)
        second.destroy()
        second.waitFor()
    }
}

// flawed: fixed-sleep
// why: delay() stands for waitFor()
package demo

import io.kotest.core.spec.style.StringSpec
import io.kotest.matchers.shouldBe
import kotlinx.coroutines.delay

class ServerSpec : StringSpec({
    "stops on destroy" {
        val server = ProcessBuilder("./server").start()
        awaitPort(8080)
        server.destroy()
        delay(250)
        server.isAlive shouldBe false
    }
})

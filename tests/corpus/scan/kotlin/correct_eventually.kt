// correct
// why: eventually() repeats the look for ten seconds
package demo

import io.kotest.assertions.timing.eventually
import io.kotest.core.spec.style.StringSpec
import io.kotest.matchers.shouldBe
import kotlin.time.Duration.Companion.seconds

class ServerSpec : StringSpec({
    "stops on destroy" {
        val server = ProcessBuilder("./server").start()
        awaitPort(8080)
        server.destroy()
        eventually(10.seconds) {
            server.isAlive shouldBe false
        }
    }
})

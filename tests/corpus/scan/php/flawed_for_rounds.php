<?php
// flawed: deadline-too-short
// why: a hundred rounds of ten milliseconds, and the process has to be gone
final class WorkerTest extends TestCase
{
    public function testWorkerEndsWithItsOwner(): void
    {
        $pid = $this->startOwner()->workerPid();
        unset($this->owner);
        for ($round = 0; $round < 100 && posix_kill($pid, 0); $round++) {
            usleep(10_000);
        }
        $this->assertFalse(posix_kill($pid, 0));
    }
}

<?php
// flawed: fixed-sleep
// why: usleep after posix_kill, then posix_kill 0

use PHPUnit\Framework\TestCase;

final class WorkerTest extends TestCase
{
    public function testWorkerEnds(): void
    {
        $worker = new Worker();
        $pid = $worker->start();
        posix_kill($pid, SIGTERM);
        usleep(200000);
        $this->assertFalse(posix_kill($pid, 0), 'worker still runs');
    }
}

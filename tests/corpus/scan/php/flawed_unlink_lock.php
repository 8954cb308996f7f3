<?php
// flawed: resource-still-held
// why: the lock file is removed while the killed worker may still hold it
final class LockTest extends \PHPUnit\Framework\TestCase
{
    public function testLockIsFreed(): void
    {
        $lockFile = '/tmp/worker.lock';
        $worker = proc_open(['php', 'worker.php', $lockFile], [], $pipes);
        $this->waitForFile($lockFile);
        proc_terminate($worker);
        unlink($lockFile);
    }
}

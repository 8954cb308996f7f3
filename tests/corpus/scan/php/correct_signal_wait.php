<?php
// correct
// why: wait() returns after the exit
use PHPUnit\Framework\TestCase;
use Symfony\Component\Process\Process;

final class WorkerTest extends TestCase
{
    public function testStops(): void
    {
        $worker = new Process(['php', 'worker.php']);
        $worker->start();
        $worker->waitUntil(fn ($type, $output) => str_contains($output, 'ready'));
        $worker->signal(SIGTERM);
        $worker->wait();
        self::assertFalse($worker->isRunning());
    }
}

<?php
// flawed: fixed-sleep
// why: half a second stands for the shell's background server listening
function testAnswers()
{
    exec("php -S localhost:8124 router.php > /dev/null 2>&1 &");
    usleep(500000);
    assert(file_get_contents("http://localhost:8124/") === "ok");
}

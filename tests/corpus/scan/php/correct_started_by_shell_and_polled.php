<?php
// correct
// why: the server is asked until it answers
function testAnswers()
{
    exec("php -S localhost:8124 router.php > /dev/null 2>&1 &");
    for ($tries = 0; $tries < 200; $tries++) {
        if (@file_get_contents("http://localhost:8124/") === "ok") {
            return;
        }
        usleep(50000);
    }
    throw new RuntimeException("no answer");
}

// flawed: fixed-sleep
// why: 10 ms stand for the wait
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void) {
    pid_t child = fork();
    if (child == 0) {
        for (;;)
            pause();
    }
    kill(child, SIGKILL);
    usleep(10000);
    if (waitpid(child, NULL, WNOHANG) != child) {
        fprintf(stderr, "FAIL: child still alive\n");
        exit(1);
    }
    return 0;
}

// flawed: check-before-exit
// why: WNOHANG straight after SIGKILL gives 0 for a child that has not died yet
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void) {
    pid_t child = fork();
    if (!child) {
        for (;;)
            pause();
    }
    kill(child, SIGKILL);
    if (waitpid(child, NULL, WNOHANG) != child) {
        fprintf(stderr, "FAIL: child still alive\n");
        return 1;
    }
    return 0;
}

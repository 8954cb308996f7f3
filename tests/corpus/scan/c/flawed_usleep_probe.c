// flawed: fixed-sleep
// why: usleep stands for the wait
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void)
{
    pid_t child = fork();
    if (child == 0) {
        for (;;)
            pause();
    }
    kill(child, SIGTERM);
    usleep(10000);
    if (waitpid(child, NULL, WNOHANG) != child) {
        fprintf(stderr, "child %d did not exit\n", (int)child);
        return 1;
    }
    return 0;
}

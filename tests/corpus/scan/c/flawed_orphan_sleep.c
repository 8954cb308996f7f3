// flawed: fixed-sleep
// why: a second after killpg the grandchild's pid is probed
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void)
{
    int fds[2];
    if (pipe(fds) < 0)
        return 2;
    pid_t child = fork();
    if (child == 0) {
        setpgid(0, 0);
        pid_t inner = fork();
        if (inner == 0) {
            pause();
            _exit(0);
        }
        write(fds[1], &inner, sizeof inner);
        pause();
        _exit(0);
    }
    pid_t grandchild;
    read(fds[0], &grandchild, sizeof grandchild);
    killpg(child, SIGKILL);
    waitpid(child, NULL, 0);
    sleep(1);
    if (kill(grandchild, 0) == 0) {
        printf("grandchild still there\n");
        return 1;
    }
    return 0;
}

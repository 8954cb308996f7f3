// flawed: survivor
// why: setsid in the grandchild, killpg of the child, the grandchild polled
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void)
{
    int p[2];
    pipe(p);
    pid_t child = fork();
    if (child == 0) {
        setpgid(0, 0);
        pid_t inner = fork();
        if (inner == 0) {
            setsid();
            pid_t self = getpid();
            write(p[1], &self, sizeof self);
            pause();
            _exit(0);
        }
        pause();
        _exit(0);
    }
    pid_t daemon_pid;
    read(p[0], &daemon_pid, sizeof daemon_pid);
    killpg(child, SIGTERM);
    waitpid(child, NULL, 0);
    for (int i = 0; i < 500; i++) {
        if (kill(daemon_pid, 0) < 0 && errno == ESRCH)
            return 0;
        usleep(10000);
    }
    return 1;
}

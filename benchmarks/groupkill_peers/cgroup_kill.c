/* The floor: write cgroup.kill, poll cgroup.events until it says "populated 0".
 * Usage: cgroup_kill FOLDER; prints the CLOCK_MONOTONIC times in ns of the write and of the end. */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static long long now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

int main(int argc, char **argv) {
    char path[4096], text[256];
    if (argc != 2) return 2;
    snprintf(path, sizeof path, "%s/cgroup.events", argv[1]);
    int events = open(path, O_RDONLY);
    snprintf(path, sizeof path, "%s/cgroup.kill", argv[1]);
    int kill_file = open(path, O_WRONLY);
    if (events < 0 || kill_file < 0) { perror(path); return 1; }
    long long begin = now_ns();
    if (write(kill_file, "1", 1) != 1) { perror("cgroup.kill"); return 1; }
    for (;;) {
        ssize_t size = pread(events, text, sizeof text - 1, 0);
        if (size < 0) { perror("cgroup.events"); return 1; }
        text[size] = 0;
        if (strstr(text, "populated 0")) break;
        struct pollfd wait = {events, POLLPRI, 0};
        poll(&wait, 1, 1000);
    }
    printf("%lld %lld\n", begin, now_ns());
    return 0;
}

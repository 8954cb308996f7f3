// flawed: check-before-exit
// why: cmocka compares the answer of kill(pid, 0) right after SIGKILL
static void test_kill(void **state) {
    pid_t pid = fork();
    if (pid == 0) { pause(); _exit(0); }
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(kill(pid, 0), -1);
}

// flawed: check-before-exit
// why: TerminateProcess() returns at once; a wait of 0 ms is a look
#include <assert.h>
#include <windows.h>

void test_terminate(void) {
    STARTUPINFOW si = {sizeof si};
    PROCESS_INFORMATION pi;
    wchar_t command[] = L"ping -n 60 localhost";
    assert(CreateProcessW(NULL, command, NULL, NULL, FALSE, 0, NULL, NULL, &si, &pi));
    TerminateProcess(pi.hProcess, 1);
    assert(WaitForSingleObject(pi.hProcess, 0) == WAIT_OBJECT_0);
}

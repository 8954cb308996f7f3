# flawed: deadline-too-short
# why: the terminal's process has to have ended within a second of the application's end
def test_quit_ends_the_shell(app):
    with app.running() as window:
        process = window.terminal.process
        window.press("ctrl+q")
    assert process.wait(timeout=1) is not None

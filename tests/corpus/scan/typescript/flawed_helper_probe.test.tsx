// flawed: check-before-exit
// why: the helper looks once, and it is called right after the kill
import { spawn } from "node:child_process";
import { render } from "ink-testing-library";
import { App } from "../src/app";

function expectDead(pid: number) {
  expect(() => process.kill(pid, 0)).toThrow();
}

it("ends its helper on exit", () => {
  const helper = spawn("./helper");
  const { unmount } = render(<App helper={helper} />);
  unmount();
  helper.kill("SIGKILL");
  expectDead(helper.pid!);
});

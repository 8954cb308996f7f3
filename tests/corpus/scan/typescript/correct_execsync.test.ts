// correct
// why: execSync returns when the command has ended; the kill in it is part of the script
import { execSync } from "node:child_process";
import { expect, it } from "vitest";

it("prints the status of a killed job", () => {
  const out = execSync("bash -c 'sleep 100 & kill $!; wait $!; echo $?'").toString();
  expect(out.trim()).toBe("143");
});

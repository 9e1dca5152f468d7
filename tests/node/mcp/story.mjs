// How these scripts tell what they do: a line a step while it lasts, one line at the end, and on failure the whole story
// with the step that went wrong, and an exit code that says so.
import assert from 'node:assert/strict';

export { assert };

const steps = [];

/** A variable that the Rust side sets. */
export function given(name) {
  const value = process.env[`LIME_TEST_${name}`];
  if (value === undefined) throw new Error(`LIME_TEST_${name} is not set`);
  return value;
}

/** Runs one step and gives what it gives. */
export async function step(what, run) {
  steps.push(what);
  return run();
}

/** Runs a script: prints what `run` gives as its one line. */
export function tell(who, run) {
  Promise.resolve()
    .then(run)
    .then(
      (line) => {
        console.log(`${who}: ${line}`);
        process.exit(0);
      },
      (error) => {
        console.error(`${who} failed at step ${steps.length}`);
        steps.forEach((what, at) => console.error(` ${at + 1}. ${what}${at === steps.length - 1 ? '   <-- here' : ''}`));
        console.error(error);
        process.exit(1);
      },
    );
}

/** Waits until `look` gives something. */
export async function eventually(what, look, milliseconds = 10_000) {
  const deadline = Date.now() + milliseconds;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > deadline) throw new Error(`it never came to this: ${what}`);
    await new Promise((done) => setTimeout(done, 50));
  }
}

/** The same token with another signature: of the right form, and of nobody. */
export function tampered(token) {
  const [message, signature] = [token.slice(0, token.lastIndexOf('.') + 1), token.slice(token.lastIndexOf('.') + 1)];
  const turned = [...signature].reverse().join('');
  return message + (turned === signature ? `A${signature.slice(1)}` : turned);
}

/** The claims of a JWT, unverified. */
export function claims(token) {
  return JSON.parse(Buffer.from(token.split('.')[1], 'base64url'));
}

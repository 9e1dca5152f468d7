"use strict";

/* One of the workers that solve. It owns no plan: it is told which stretch of numbers to try, and says what it found,
 * so that the page can pause it by asking for nothing, and knows how far it is. Messages:
 *   { solver }                        first of all: where the solver is; answered as if nothing was found
 *   { module }                        its WebAssembly, if and when there is one; not answered
 *   { text, bits, start, attempts }   try these; answered
 * Answers come in order: { nonce } (-1: none there) or { failed }. */

let plain = null; // the solver in JavaScript
let fast = null; // in WebAssembly
let begun = ""; // which puzzle they have begun

self.onmessage = async ({ data }) => {
  if (data.module) {
    fast = await Promise.resolve(data.module).then(self.limeWasmSolver).catch(() => null);
    begun = "";
    return;
  }
  try {
    if (data.solver) {
      importScripts(data.solver);
      plain = self.limeSolver();
    }
    self.postMessage({ nonce: data.solver ? -1 : attempt(data) });
  } catch (fault) {
    self.postMessage({ failed: String(fault) });
  }
};

function attempt({ text, bits, start, attempts }) {
  if (begun !== text) {
    // A text too long for what the WebAssembly set aside is left to JavaScript.
    if (fast && !fast.begin(text, bits)) fast = null;
    if (!plain.begin(text, bits)) throw new Error("the puzzle cannot be begun");
    begun = text;
  }
  if (fast) {
    const nonce = fast.solve(start, attempts);
    // Checked the other way: a browser that miscalculates would otherwise be turned away for ever.
    if (nonce < 0 || plain.solve(nonce, 1) === nonce) return nonce;
    fast = null;
  }
  return plain.solve(start, attempts);
}

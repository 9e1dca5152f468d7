// All three solvers against ../vectors.json, and the files as they are committed: node --test pow/wasm/test.mjs
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import vm from "node:vm";

const read = (name, encoding) => readFileSync(new URL(name, import.meta.url), encoding);
const vectors = JSON.parse(read("../vectors.json", "utf8"));
const wasmFiles = ["solver.wasm", "solver-simd.wasm"];

vm.runInThisContext(read("solver.js", "utf8"), { filename: "solver.js" });
const solvers = { javascript: globalThis.limeSolver() };
for (const name of wasmFiles) solvers[name] = await globalThis.limeWasmSolver(new WebAssembly.Module(read(name)));

for (const [name, solver] of Object.entries(solvers)) {
  test(`${name} finds the nonces of the vectors`, () => {
    assert.ok(vectors.length > 500);
    for (const { text, bits, start, attempts, nonce } of vectors) {
      const of = JSON.stringify({ text, bits, start, attempts });
      assert.equal(solver.begin(text, bits), true, of);
      assert.equal(solver.solve(start, attempts), nonce === null ? -1 : nonce, of);
    }
  });

  test(`${name} goes on in slices`, () => {
    solver.begin("c", 15);
    for (const slice of [1, 3, 997, 4096]) {
      let start = 105_000;
      let nonce = -1;
      for (; nonce === -1; start += slice) nonce = solver.solve(start, slice);
      assert.equal(nonce, 110_783, `slices of ${slice}`);
    }
  });

  test(`${name} refuses what is no challenge, and has none then`, () => {
    const refused = [["", 0], ["c\0", 0], ["\0", 0], ["c".repeat(513), 0], ["é", 0], ["\u0131", 0]];
    refused.push(["c", 65], ["c", -1], ["c", 0.5], ["c", NaN], ["c", 2 ** 32]);
    for (const [text, bits] of refused) {
      assert.equal(solver.begin("c", 0), true);
      assert.equal(solver.begin(text, bits), false, JSON.stringify([text.slice(0, 9), bits]));
      assert.equal(solver.solve(0, 1), -1);
    }
    assert.equal(solver.begin("c".repeat(512), 64), true);
  });

  test(`${name} tries whole numbers below 2^53 only`, () => {
    solver.begin("c", 0);
    const end = 2 ** 53;
    for (const [start, attempts] of [[-1, 5], [0.5, 5], [NaN, 5], [Infinity, 5], [end, 5], [end + 2, 5]]) {
      assert.equal(solver.solve(start, attempts), -1, `from ${start}`);
    }
    for (const attempts of [-1, 0, 0.5, NaN, Infinity, end + 2]) assert.equal(solver.solve(0, attempts), -1);
    assert.equal(solver.solve(end - 1, 1000), end - 1);
    solver.begin("c", 64);
    assert.equal(solver.solve(end - 10, end), -1);
  });
}

test("the files have the digests of SHA256SUMS, and are small", () => {
  const lines = wasmFiles.map((name) => `${createHash("sha256").update(read(name)).digest("hex")}  ${name}\n`);
  assert.equal(lines.join(""), read("SHA256SUMS", "utf8"));
  for (const name of wasmFiles) assert.ok(read(name).length <= 4096, name);
});

test("the modules import nothing, and know no path of the machine that built them", () => {
  for (const name of wasmFiles) {
    assert.deepEqual(WebAssembly.Module.imports(new WebAssembly.Module(read(name))), []);
    const bytes = read(name, "latin1");
    for (const path of ["/root", "/home", "/work", "/tmp", "/usr", "/build", "/rust", "/lime", ".rs"]) {
      assert.ok(!bytes.includes(path), `${path} in ${name}`);
    }
  }
});

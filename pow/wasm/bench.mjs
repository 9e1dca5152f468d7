// Million hashes a second of one thread: the median of rounds in which every solver has its turn.
//
//   node pow/wasm/bench.mjs [--native-mhs N] [--others DIR] [--rounds N]
//
// --native-mhs  what `pow::solve` reaches on this machine: adds the ratio to it
// --others      a folder where the npm packages @cap.js/wasm and friendly-pow may be installed
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import vm from "node:vm";

const string = { type: "string" };
const { values } = parseArgs({ options: { "native-mhs": string, others: string, rounds: string } });
const rounds = Number(values.rounds ?? 15);
const native = Number(values["native-mhs"] ?? NaN);

// As the gateway writes them, with the suffix of a part.
const text = `lime-gw1.${"Lime".repeat(27).slice(1)}.15`;
const attempts = 400_000;
const read = (name) => readFileSync(new URL(name, import.meta.url));

// Each runs about `attempts` hashes, another stretch each round, and answers how many it was.
const runs = {};

vm.runInThisContext(read("solver.js").toString());
const ours = (solver) => {
  solver.begin(text, 64);
  return (round) => {
    solver.solve(1_000_000 + round * attempts, attempts);
    return attempts;
  };
};
runs.javascript = ours(globalThis.limeSolver());
for (const name of ["solver.wasm", "solver-simd.wasm"]) {
  runs[name] = ours(await globalThis.limeWasmSolver(new WebAssembly.Module(read(name))));
}

if (values.others) {
  const require = createRequire(join(resolve(values.others), "of-this-folder.js"));
  const add = async (name, load) => {
    try {
      runs[name] = await load();
    } catch (error) {
      console.error(`${name}: ${error.message.split("\n")[0]}`);
    }
  };
  await add("@cap.js/wasm", () => {
    const { solve_pow: solve } = require("@cap.js/wasm");
    // It counts from zero until the digest starts with the target: twenty bits take a million hashes or so. It has no
    // midstate; the short salt is one of its own, which fits a block.
    return (round) => Number(solve(`0123456789abcdef0123456789abcdef${round}`, "00000")) + 1;
  });
  await add("friendly-pow", async () => {
    const { getWasmSolver } = require("friendly-pow/node/api/wasm");
    const module = new WebAssembly.Module(readFileSync(require.resolve("friendly-pow/wasm/optimized.wasm")));
    const solve = await getWasmSolver(module);
    return (round) => {
      // No hash is below a threshold of zero.
      solve(new Uint8Array(128).fill(round + 1), 0, attempts);
      return attempts;
    };
  });
}

const rates = Object.fromEntries(Object.keys(runs).map((name) => [name, []]));
for (const run of Object.values(runs)) run(rounds);
for (let round = 0; round < rounds; round++) {
  for (const [name, run] of Object.entries(runs)) {
    const start = performance.now();
    const hashes = run(round);
    rates[name].push(hashes / (performance.now() - start) / 1000);
  }
}
for (const [name, all] of Object.entries(rates)) {
  const median = all.sort((a, b) => a - b)[Math.floor(all.length / 2)];
  const ratio = native ? `  ${(median / native).toFixed(2)} of native` : "";
  console.log(`${name.padEnd(18)} ${median.toFixed(2).padStart(6)} MH/s${ratio}`);
}

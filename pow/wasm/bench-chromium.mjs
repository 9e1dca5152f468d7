// The same as bench.mjs, in a page of Chromium: million hashes a second of one thread.
//
//   node pow/wasm/bench-chromium.mjs --modules DIR [--native-mhs N] [--rounds N]
//
// --modules     a folder where the npm package playwright-core is installed, and @cap.js/wasm to compare with
// --native-mhs  what `pow::solve` reaches on this machine: adds the ratio to it
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";

const string = { type: "string" };
const { values } = parseArgs({ options: { "native-mhs": string, modules: string, rounds: string } });
const rounds = Number(values.rounds ?? 15);
const native = Number(values["native-mhs"] ?? NaN);
const modules = resolve(values.modules ?? ".");
const { chromium } = createRequire(join(modules, "of-this-folder.js"))("playwright-core");

const ours = (name) => readFileSync(new URL(name, import.meta.url));
const theirs = (name) => readFileSync(join(modules, "node_modules/@cap.js/wasm/browser", name));
const files = {
  "/": ["text/html", () => "<!doctype html><script src='/solver.js'></script>"],
  "/solver.js": ["text/javascript", () => ours("solver.js")],
  "/solver.wasm": ["application/wasm", () => ours("solver.wasm")],
  "/solver-simd.wasm": ["application/wasm", () => ours("solver-simd.wasm")],
  "/cap_wasm.js": ["text/javascript", () => theirs("cap_wasm.js")],
  "/cap_wasm_bg.wasm": ["application/wasm", () => theirs("cap_wasm_bg.wasm")],
};
const server = createServer((request, response) => {
  const [type, body] = files[request.url] ?? ["text/plain", () => ""];
  response.writeHead(200, { "Content-Type": type }).end(body());
});
await new Promise((done) => server.listen(0, "127.0.0.1", done));

const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });
const page = await browser.newPage();
await page.goto(`http://127.0.0.1:${server.address().port}/`);
const rates = await page.evaluate(async (rounds) => {
  const attempts = 400_000;
  const text = `lime-gw1.${"Lime".repeat(27).slice(1)}.15`;
  const runs = {};
  const add = (name, solver) => {
    solver.begin(text, 64);
    runs[name] = (round) => (solver.solve(1_000_000 + round * attempts, attempts), attempts);
  };
  const compiled = async (url) => WebAssembly.compile(await (await fetch(url)).arrayBuffer());
  add("javascript", self.limeSolver());
  for (const name of ["solver.wasm", "solver-simd.wasm"]) add(name, await self.limeWasmSolver(await compiled(name)));
  const cap = await import("/cap_wasm.js");
  await cap.default();
  runs["@cap.js/wasm"] = (round) => Number(cap.solve_pow(`0123456789abcdef0123456789abcdef${round}`, "00000")) + 1;

  const rates = Object.fromEntries(Object.keys(runs).map((name) => [name, []]));
  for (const run of Object.values(runs)) run(rounds);
  for (let round = 0; round < rounds; round++) {
    for (const [name, run] of Object.entries(runs)) {
      const start = performance.now();
      const hashes = run(round);
      rates[name].push(hashes / (performance.now() - start) / 1000);
    }
  }
  return rates;
}, rounds);
await browser.close();
server.close();

for (const [name, all] of Object.entries(rates)) {
  const median = all.sort((a, b) => a - b)[Math.floor(all.length / 2)];
  const ratio = native ? `  ${(median / native).toFixed(2)} of native` : "";
  console.log(`${name.padEnd(18)} ${median.toFixed(2).padStart(6)} MH/s${ratio}`);
}

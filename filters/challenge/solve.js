"use strict";

/* Solves challenges with all that this device should spare. A challenge is some puzzles; a puzzle is a text, and its
 * answer a number (nonce) with which the text hashes to so many leading zero bits. Whoever is free takes the next
 * stretch of numbers of the puzzle that has the fewest hands on it, so the last puzzle, or the only one, is everybody's.
 *
 *   const pool = limePool({ worker, solver, wasm, wasm_simd }, size);
 *   const work = pool.solve({ challenge, bits, puzzles });
 *   await work.answer              the nonces in order; null once stopped; rejects if nothing here can solve
 *   work.share(), work.left()      how much is done (0 to 1), and roughly how many milliseconds are missing (or null)
 *   work.stop(), pool.pause(), pool.resume(), pool.close() */

(function () {
  // As long as a pause, a stop or a solved puzzle may go unnoticed by a worker; on the page itself, as long as a
  // click may wait.
  const WORKER_SLICE_MS = 60;
  const PAGE_SLICE_MS = 12;
  const FIRST_SLICE = 1024;
  const LARGEST_SLICE = 1 << 22;
  // A worker that has not even started by then never will (some embedded browsers have a Worker that does nothing).
  const WORKER_START_MS = 10000;

  self.limePool = function (urls, size) {
    // Now, so that the workers need not come for it one after the other: they find it in the cache.
    fetch(urls.solver).catch(() => {});
    const module = compiled(urls);
    let engines = [];
    let gate = null; // while paused: what the engines wait for, and how to open it

    try {
      for (let n = 0; n < size; n += 1) engines.push(workerEngine(urls, module));
    } catch (_) {
      // No Worker, or none for us: `solve` finds nobody and works here.
    }

    async function solve(work) {
      for (;;) {
        await Promise.race([work.ended, Promise.all(engines.map((engine) => drive(engine, work)))]);
        engines = engines.filter((engine) => !engine.lost);
        if (work.over()) return work.nonces();
        if (work.onPage) throw new Error("nothing here can solve");
        work.onPage = true;
        engines = [await pageEngine(urls)];
      }
    }

    /** Keeps one engine at work until there is no more, or it breaks. */
    async function drive(engine, work) {
      try {
        for (;;) {
          if (gate) await gate.opened;
          if (work.over()) return;
          await advance(engine, work);
        }
      } catch (_) {
        engine.lost = true;
        engine.close();
      }
    }

    return {
      solve(challenge) {
        const work = plan(challenge);
        work.answer = solve(work);
        return work;
      },
      pause() {
        if (!gate) {
          gate = {};
          gate.opened = new Promise((resolve) => (gate.open = resolve));
        }
      },
      resume() {
        if (gate) gate.open();
        gate = null;
      },
      close() {
        for (const engine of engines) engine.close();
      },
    };
  };

  /** Has one stretch tried by one engine. */
  async function advance(engine, work) {
    const puzzle = work.next();
    const [start, attempts] = [puzzle.start, engine.slice];
    puzzle.start += attempts;
    puzzle.hands += 1;
    const began = performance.now();
    try {
      const nonce = await engine.attempt({ text: puzzle.text, bits: puzzle.bits, start, attempts });
      work.record(puzzle, nonce, nonce < 0 ? attempts : nonce - start + 1);
      if (nonce < 0) engine.slice = resized(attempts, performance.now() - began, engine.sliceMs);
    } finally {
      puzzle.hands -= 1;
    }
  }

  /** The puzzles of a challenge, and how far they are. */
  function plan({ challenge, bits, puzzles: count }) {
    const each = bits - Math.log2(count);
    const expected = Math.pow(2, each);
    const puzzles = Array.from({ length: count }, (_, index) => ({
      text: count === 1 ? challenge : challenge + "." + String(index).padStart(2, "0"),
      bits: each,
      start: 0,
      tried: 0,
      hands: 0,
      nonce: -1,
    }));
    const open = () => puzzles.filter((puzzle) => puzzle.nonce < 0);
    const began = performance.now();
    let [attempts, stopped, end] = [0, false, null];

    return {
      onPage: false,
      ended: new Promise((resolve) => (end = resolve)),
      over: () => stopped || open().length === 0,
      nonces: () => (stopped ? null : puzzles.map((puzzle) => puzzle.nonce)),
      next: () => open().reduce((one, other) => (other.hands < one.hands ? other : one)),
      record(puzzle, nonce, tried) {
        attempts += tried;
        puzzle.tried += tried;
        if (puzzle.nonce < 0 && nonce >= 0) puzzle.nonce = nonce;
        if (open().length === 0) end();
      },
      stop() {
        stopped = true;
        end();
      },
      /** What is solved, and of the rest how likely it was to be solved by now. */
      share() {
        const done = puzzles.map(({ nonce, tried }) => (nonce < 0 ? 1 - Math.exp(-tried / expected) : 1));
        return done.reduce((sum, one) => sum + one, 0) / count;
      },
      /** Puzzles have no memory: each that is open costs what it cost at first. */
      left() {
        const elapsed = performance.now() - began;
        return attempts > 0 && elapsed > 1000 ? (open().length * expected * elapsed) / attempts : null;
      },
    };
  }

  /** At most four times as many as before, so that one mismeasured slice does not lead to an endless one. */
  function resized(attempts, took, aimed) {
    const fitting = Math.min((attempts * aimed) / Math.max(took, 1), attempts * 4, LARGEST_SLICE);
    return Math.max(Math.floor(fitting), 64);
  }

  /** The fastest WebAssembly that this browser takes, or null: switched off, refused, not loaded. JavaScript is slower
   * but always there, so nothing of this is worth a word. */
  async function compiled({ wasm, wasm_simd: simd }) {
    for (const url of [simd, wasm]) {
      try {
        const response = await fetch(url);
        if (response.ok) return await WebAssembly.compile(await response.arrayBuffer());
      } catch (_) {
        // The next one, then.
      }
    }
    return null;
  }

  function workerEngine(urls, module) {
    const worker = new Worker(urls.worker);
    const asked = []; // of who waits for an answer, first come first
    const ask = (message) =>
      new Promise((resolve, reject) => {
        asked.push({ resolve, reject });
        worker.postMessage(message);
      });
    worker.onmessage = ({ data }) => {
      const { resolve, reject } = asked.shift();
      if (data.failed) reject(new Error(data.failed));
      else resolve(data.nonce);
    };
    // Also when the script itself does not load.
    const broken = new Promise((_, reject) => (worker.onerror = () => reject(new Error("the worker broke"))));
    const late = new Promise((_, reject) => setTimeout(reject, WORKER_START_MS, new Error("the worker is late")));
    const ready = Promise.race([ask({ solver: urls.solver }), broken, late]);
    // It does not wait for the module, and one that cannot be handed over is no loss.
    Promise.all([module, ready])
      .then(([compiledModule]) => compiledModule && worker.postMessage({ module: compiledModule }))
      .catch(() => {});
    // These three may fail when nobody is asking: that is no fault of the page.
    for (const promise of [broken, late, ready]) promise.catch(() => {});

    return {
      slice: FIRST_SLICE,
      sliceMs: WORKER_SLICE_MS,
      attempt: async (stretch) => {
        await ready;
        return Promise.race([ask(stretch), broken]);
      },
      close: () => worker.terminate(),
    };
  }

  /** Solves in the page itself, in slices between which the page can breathe. In JavaScript: where there is no Worker,
   * WebAssembly is rarer still. */
  async function pageEngine(urls) {
    await loaded(urls.solver);
    const solver = self.limeSolver();
    // Not a timer: those stand still for up to a minute in a hidden tab.
    const { port1, port2 } = new MessageChannel();
    const waiting = [];
    port1.onmessage = () => waiting.shift()();
    let begun = "";

    return {
      slice: FIRST_SLICE,
      sliceMs: PAGE_SLICE_MS,
      async attempt({ text, bits, start, attempts }) {
        await new Promise((resolve) => {
          waiting.push(resolve);
          port2.postMessage(null);
        });
        if (begun !== text && !solver.begin(text, bits)) throw new Error("the puzzle cannot be begun");
        begun = text;
        return solver.solve(start, attempts);
      },
      close: () => port1.close(),
    };
  }

  function loaded(url) {
    return new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = url;
      script.onload = resolve;
      script.onerror = () => reject(new Error("the solver did not load"));
      document.head.appendChild(script);
    });
  }
})();

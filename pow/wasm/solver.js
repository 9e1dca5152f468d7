// The LIME v1 solver in JavaScript, and the same shape around the WebAssembly builds: a classic script that defines
// `limeSolver` and `limeWasmSolver`, in a page, in a Worker (importScripts) or in Node. What both make:
//
//   begin(text, bits) -> boolean             takes up a challenge (ASCII); false when it is refused
//   solve(start, attempts) -> nonce or -1    the first of so many nonces that solves it; nonces end before 2^53

function limeSolver() {
  "use strict";
  const NONCE_END = Math.pow(2, 53);
  // SHA-256 (FIPS 180-4): the state before the first block (§5.3.3) and the constants of the rounds (§4.2.2).
  const INITIAL = Int32Array.of(
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19
  );
  const ROUND = Int32Array.of(
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2
  );
  const schedule = new Int32Array(64);
  // What comes before the nonce is hashed once: { bits, midstate, rest, restBytes, prefixBytes }.
  let challenge = null;

  // Puts into `after` the state after one more block (§6.2.2): the sixteen words at `from`.
  function compress(before, words, from, after) {
    const w = schedule;
    for (let t = 0; t < 16; t++) w[t] = words[from + t];
    let a = before[0], b = before[1], c = before[2], d = before[3];
    let e = before[4], f = before[5], g = before[6], h = before[7];
    for (let t = 0; t < 64; t++) {
      if (t > 15) {
        const x = w[t - 15], y = w[t - 2];
        const sigma0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
        const sigma1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
        w[t] = w[t - 16] + sigma0 + w[t - 7] + sigma1;
      }
      const sum1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
      const t1 = (h + sum1 + (g ^ (e & (f ^ g))) + ROUND[t] + w[t]) | 0;
      const sum0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
      const t2 = (sum0 + (b ^ ((a ^ b) & (b ^ c)))) | 0;
      h = g; g = f; f = e; e = (d + t1) | 0;
      d = c; c = b; b = a; a = (t1 + t2) | 0;
    }
    after[0] = before[0] + a; after[1] = before[1] + b; after[2] = before[2] + c; after[3] = before[3] + d;
    after[4] = before[4] + e; after[5] = before[5] + f; after[6] = before[6] + g; after[7] = before[7] + h;
  }

  function begin(text, bits) {
    challenge = null;
    if (!/^[\x01-\x7f]{1,512}$/.test(text) || !Number.isInteger(bits) || bits < 0 || bits > 64) return false;
    const prefix = "lime:pow:v1\0" + text + "\0";
    const midstate = Int32Array.from(INITIAL);
    const rest = new Int32Array(32);
    for (let at = 0; at < prefix.length; at++) {
      put(rest, at % 64, prefix.charCodeAt(at));
      if (at % 64 === 63) {
        compress(midstate, rest, 0, midstate);
        rest.fill(0);
      }
    }
    challenge = { bits, midstate, rest, restBytes: prefix.length % 64, prefixBytes: prefix.length };
    return true;
  }

  function solve(start, attempts) {
    if (challenge === null || !isCount(start) || !isCount(attempts)) return -1;
    const end = Math.min(start + attempts, NONCE_END);
    // Nonces are counted up in place, so only among those of the same number of digits.
    for (let longer = 10; start < end; longer *= 10) {
      if (start >= longer) continue;
      const found = solveSameLength(start, Math.min(end, longer));
      if (found !== -1) return found;
      start = longer;
    }
    return -1;
  }

  function solveSameLength(start, end) {
    const { bits, midstate, rest, restBytes, prefixBytes } = challenge;
    const words = Int32Array.from(rest);
    const digits = String(start);
    const after = restBytes + digits.length;
    for (let at = 0; at < digits.length; at++) put(words, restBytes + at, digits.charCodeAt(at));
    put(words, after, 0x80);
    // The padding takes at least one byte, the length eight.
    const twoBlocks = after + 9 > 64;
    words[twoBlocks ? 31 : 15] = (prefixBytes + digits.length) * 8;

    const digest = new Int32Array(8);
    for (let nonce = start; nonce < end; nonce++) {
      compress(midstate, words, 0, digest);
      if (twoBlocks) compress(digest, words, 16, digest);
      if (leadingZeroBits(digest) >= bits) return nonce;
      if (nonce + 1 < end) addOne(words, after - 1);
    }
    return -1;
  }

  // Adds one to a number in ASCII that ends at a byte of big-endian words.
  function addOne(words, at) {
    const NINE = 0x39;
    while (((words[at >> 2] >>> shiftOf(at)) & 0xff) === NINE) {
      words[at >> 2] -= 9 << shiftOf(at);
      at--;
    }
    words[at >> 2] += 1 << shiftOf(at);
  }

  // Writes a byte into big-endian words that are zero there.
  function put(words, at, byte) {
    words[at >> 2] |= byte << shiftOf(at);
  }

  function shiftOf(at) {
    return 24 - (at & 3) * 8;
  }

  function leadingZeroBits(digest) {
    const bits = Math.clz32(digest[0]);
    return bits === 32 ? 32 + Math.clz32(digest[1]) : bits;
  }

  function isCount(number) {
    return Number.isInteger(number) && number >= 0 && number <= NONCE_END;
  }

  return { begin, solve };
}

async function limeWasmSolver(module) {
  "use strict";
  const { memory, input, begin, solve } = (await WebAssembly.instantiate(module)).exports;
  return {
    begin(text, bits) {
      // What does not fit or is no ASCII is refused as an empty text is: the solver must have no challenge then.
      const known = /^[\x01-\x7f]{1,512}$/.test(text) && Number.isInteger(bits) && bits >= 0 && bits <= 64;
      const bytes = Uint8Array.from(known ? text : "", (character) => character.charCodeAt(0));
      new Uint8Array(memory.buffer, input(), 512).set(bytes);
      return begin(bytes.length, known ? bits : 0) === 0;
    },
    solve,
  };
}

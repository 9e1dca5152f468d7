"use strict";

/* What the page does: has the challenge solved (solve.js), hands in the answer, goes on to what was asked for, and says
 * how it stands. Three things it must never do: go round in circles, leave somebody without an explanation, or touch a
 * cookie. The clearance is a cookie that scripts cannot see, so whether it arrived is asked of the server. */

(function () {
  const SOLVING_MS_UNTIL_LONGER = 5000; // until it is called long
  const SOLVING_MS_UNTIL_CHOICE = 20000; // until the easier way is offered
  const CHALLENGES_MAX = 4; // expired, spent, other network: each brings a new one
  const SENDS_MAX = 5; // of one answer, to a server that is busy or out of reach
  const SEND_MS_MAX = 15000;
  const BUSY_SECONDS_MAX = 120; // longer waits are for the visitor to decide
  const RETRIES_MAX = 2; // automatic ones, of a page that was left and came back at once
  const AT_ONCE_MS = 60000;
  const HIDDEN_MS_UNTIL_PAUSE = 3000;
  const EXPIRY_MARGIN_SECONDS = 3; // for the answer's way to the server

  const data = JSON.parse(document.getElementById("lime-challenge").textContent);
  const texts = data.texts;
  const element = (id) => document.getElementById(id);
  const savesData = Boolean(navigator.connection && navigator.connection.saveData);

  let pool = null;
  let work = null; // what is being solved just now
  let ended = false; // gone on, or explained: nothing happens by itself any more
  let gone = false;
  let solvingSince = 0;
  let shown = 0; // how far the bar is, which never goes back
  let shownBefore = 0; // how far it was when this challenge came: a new one shares the rest

  // --- The way through --------------------------------------------------------------------------------------------

  async function run() {
    if (tries() > RETRIES_MAX) return explain("trouble_again");
    const pulse = setInterval(tick, 250);
    try {
      pool = self.limePool(data, workers());
      await pass(data);
    } catch (_) {
      explain("trouble_scripts");
    }
    clearInterval(pulse);
  }

  async function pass(first) {
    let challenge = first;
    solvingSince = now();
    for (let count = 0; count < CHALLENGES_MAX && !ended; count += 1) {
      const nonces = await solved(challenge);
      if (ended) return;
      // Asked without an answer, the server gives a new challenge.
      const reply = await send(nonces && `PoW challenge="${challenge.challenge}", nonces="${nonces.join(",")}"`);
      if (reply.cleared) {
        return (await seenCleared()) === false ? explain("trouble_cookies") : goOn();
      }
      if (!reply.challenge) return explain("trouble_server");
      challenge = reply.challenge;
      say("now_again");
    }
    explain("trouble_server");
  }

  /** The nonces, or null if the challenge expired first. */
  async function solved(challenge) {
    shownBefore = shown;
    work = pool.solve(challenge);
    work.expires = now() + (challenge.expires_in - EXPIRY_MARGIN_SECONDS) * 1000;
    work.expiresByClock = Date.now() + work.expires - now();
    const nonces = await work.answer;
    work = null;
    if (nonces) show(1);
    return nonces;
  }

  /** Hands in an answer, as often as it takes within reason: `cleared`, another `challenge`, or neither. */
  async function send(answer) {
    const headers = answer ? { "Lime-Authorization": answer } : {};
    for (let count = 0; count < SENDS_MAX && !ended; count += 1) {
      await online();
      const response = await ask({ method: "POST", headers });
      if (response && response.status === 200) return { cleared: true };
      if (response && response.status < 500 && response.status !== 429) return { challenge: await offered(response) };
      const seconds = Number(response && response.headers.get("Retry-After")) || 2;
      if (seconds > BUSY_SECONDS_MAX) return {};
      if (response) say("now_busy");
      await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
    }
    return {};
  }

  /** The challenge in a refusal, if it has one that can be worked with. */
  async function offered(response) {
    const problem = await response.json().catch(() => null);
    const ways = (problem && Array.isArray(problem.ways_in) && problem.ways_in) || [];
    return ways.find(
      ({ way, challenge, bits, puzzles, expires_in: seconds }) =>
        way === "proof_of_work" &&
        typeof challenge === "string" &&
        Number.isInteger(bits - Math.log2(puzzles)) &&
        bits >= Math.log2(puzzles) &&
        seconds > 0,
    );
  }

  /** The name of the clearance that the server sees come back; false if there is none, null if it does not say. */
  async function seenCleared() {
    const response = await ask({ method: "GET" });
    const answer = response && response.ok ? await response.json().catch(() => null) : null;
    return answer && typeof answer.cleared === "boolean" ? answer.cleared && answer.clearance : null;
  }

  /** The response, or null if there is none. */
  async function ask({ method, headers }) {
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), SEND_MS_MAX);
    try {
      const options = { method, headers, credentials: "same-origin", cache: "no-store", signal: abort.signal };
      return await fetch(data.post, options);
    } catch (_) {
      return null;
    } finally {
      clearTimeout(timer);
    }
  }

  async function online() {
    if (navigator.onLine !== false) return;
    say("now_offline");
    await new Promise((resolve) => addEventListener("online", resolve, { once: true }));
    say("now_working");
  }

  /** Loads what was asked for. Where the address has a fragment, going to it would only scroll; where the history has a
   * state, the site's or our count, going there would drop it. Otherwise not a reload: some browsers then ask for all
   * images anew. */
  function goOn() {
    if (gone) return;
    const count = tries();
    if (count > RETRIES_MAX) return explain("trouble_again");
    remember(count + 1);
    show(1);
    say("now_done");
    end();
    gone = true;
    if (channel) channel.postMessage("cleared");
    if (location.href.includes("#") || read(() => history.state)) location.reload();
    else location.replace(location.href);
  }

  function end() {
    ended = true;
    if (work) work.stop();
    if (pool) pool.close();
  }

  // --- How often this page came back at once: the guard against circles ---------------------------------------------

  const KEY = "lime-tries";
  const address = location.href.split("#")[0];

  function tries() {
    const stores = [() => JSON.parse(sessionStorage.getItem(KEY)), () => history.state && history.state[KEY]];
    const counts = stores
      .map(read)
      .filter((record) => record && record.address === address && Math.abs(Date.now() - record.at) < AT_ONCE_MS)
      .map((record) => Number(record.count) || 0);
    return Math.max(0, ...counts);
  }

  /** In the history's state only if it must be: the site's own scripts will find it there. */
  function remember(count) {
    const record = { address, count, at: Date.now() };
    const text = JSON.stringify(record);
    read(() => sessionStorage.setItem(KEY, text));
    if (read(() => sessionStorage.getItem(KEY)) !== text) {
      read(() => history.replaceState(Object.assign({}, history.state, { [KEY]: record }), ""));
    }
  }

  /** Either store throws where it is forbidden. */
  function read(store) {
    try {
      return store();
    } catch (_) {
      return null;
    }
  }

  // --- What can be seen ---------------------------------------------------------------------------------------------

  /** Announced to those who listen, so only what is worth interrupting for. */
  function say(key) {
    if (!ended) element("status").textContent = texts[key];
  }

  function tick() {
    if (!work) return;
    show(Math.min(shownBefore + (1 - shownBefore) * work.share(), 0.99));
    if (now() > work.expires || Date.now() > work.expiresByClock) work.stop();
    const solving = now() - solvingSince;
    const choice = element("wait");
    // Not before the server lets somebody in who waited.
    const choiceAt = choice && Math.max(SOLVING_MS_UNTIL_CHOICE, (Number(choice.dataset.seconds) + 1) * 1000);
    element("left").textContent = solving > 1500 ? timeLeft(work.left()) : "";
    if (solving > SOLVING_MS_UNTIL_LONGER) once("now_longer");
    if (choice && choice.hidden && solving > choiceAt) {
      choice.hidden = false;
      once("now_choice");
    }
  }

  const said = new Set();
  function once(key) {
    if (!said.has(key)) say(key);
    said.add(key);
  }

  function show(share) {
    shown = Math.max(shown, share);
    element("bar").value = shown;
    const segments = document.querySelectorAll("#slice path, #slice use");
    segments.forEach((segment, index) => segment.classList.toggle("dry", index >= Math.round(shown * segments.length)));
  }

  /** In steps that do not flicker, and in the words and numerals of the page's language. */
  function timeLeft(milliseconds) {
    if (milliseconds === null) return "";
    const seconds = Math.ceil(milliseconds / 5000) * 5;
    if (seconds <= 5) return texts.now_soon;
    const [count, unit] = seconds < 90 ? [seconds, "second"] : [Math.round(seconds / 60), "minute"];
    const words = () =>
      new Intl.NumberFormat(document.documentElement.lang, { style: "unit", unit, unitDisplay: "long" }).format(count);
    const time = read(words);
    return time ? texts.now_left.replace("{time}", time) : "";
  }

  /** The end of what can be done by itself. */
  function explain(reason) {
    if (ended) return;
    const leaving = document.activeElement;
    const gone = ["bar", "lead", "left", "wait"].map(element).filter(Boolean);
    document.title = document.title.replace(element("title").textContent, texts.trouble_title);
    element("title").textContent = texts.trouble_title;
    element("now").classList.add("lead");
    say(reason);
    end();
    element("help").hidden = false;
    // The focus does not fall back to the top of the page with what it was on.
    if (gone.some((part) => part.contains(leaving))) element("title").focus();
    for (const part of gone) part.hidden = true;
  }

  // --- What happens meanwhile ---------------------------------------------------------------------------------------

  /** Another tab may have done it, or whoever reads the explanation has mended what it names. */
  async function lookAgain() {
    const clearance = await seenCleared();
    // The one this page was asked for with was not enough.
    if (clearance && clearance !== data.had) goOn();
  }

  function workers() {
    const most = Math.min(Math.max(Math.floor((navigator.hardwareConcurrency || 2) / 2), 1), 4);
    return savesData ? Math.max(Math.floor(most / 2), 1) : most;
  }

  let hiding = 0;
  function onVisibility() {
    clearTimeout(hiding);
    if (!document.hidden) {
      if (pool) pool.resume();
      lookAgain();
    } else if (savesData && pool) {
      hiding = setTimeout(() => pool.pause(), HIDDEN_MS_UNTIL_PAUSE);
    }
  }

  function now() {
    return performance.now();
  }

  const channel = read(() => new BroadcastChannel("lime-challenge"));
  if (channel) channel.onmessage = lookAgain;
  document.addEventListener("visibilitychange", onVisibility);
  addEventListener("pageshow", (event) => event.persisted && lookAgain());
  // By hand it may be tried once more than by itself.
  element("again").addEventListener("click", () => remember(RETRIES_MAX));
  const choice = document.querySelector("#wait button");
  if (choice) choice.addEventListener("click", () => location.reload());

  element("late").remove();
  element("bar").hidden = false;
  element("now").hidden = false;
  show(0);
  run();
})();

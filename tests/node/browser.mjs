// The page that asks browsers for work, in a browser that nobody here wrote: Debian's Chromium. It starts no server.
// Environment: LIME_URL, a gateway in mode `enforce` at loopback http; LIME_SHOTS, a folder for pictures, or nothing.
// The gateway trusts proxies at 127.0.0.1: every visitor here has an address of his own. Its policies: `cleared`
// with `wait = "1s"` for the site, with `requests = 2` below /few/, with `wait = "off"` below /scripts/; `open` below
// /open/. Its origin answers everything with HTML: <h1>from the site</h1> and the target, as it came.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { after, describe, test } from 'node:test';
import { chromium } from 'playwright-core';

const { LIME_URL: SITE, LIME_SHOTS: SHOTS } = process.env;
assert.ok(SITE, 'LIME_URL says where the gateway is');

const AXE = fs.readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const LIMIT_MS = 30_000; // for anything that is waited for
const SUITE_MS = 120_000;
const QUIET_MS = 1_500; // in which a page that goes round in circles would have loaded again
const WAIT_MS = 2_000; // what a visitor without scripts waits: the policy's second, and one more
const DESK = { width: 1280, height: 800 };
const PHONE = { width: 360, height: 740 };

const CLEARANCE = 'lime-clearance';
const TROUBLE = 'That did not work';

// --- Browsers and what is seen in them ------------------------------------------------------------------------------

const EXECUTABLE = { executablePath: '/usr/bin/chromium' };
const browsers = new Map();
after(() => Promise.all([...browsers.values()].map(async (browser) => (await browser).close())));

function browser(...flags) {
  const key = flags.join(' ');
  if (!browsers.has(key)) browsers.set(key, chromium.launch({ ...EXECUTABLE, args: ['--no-sandbox', ...flags] }));
  return browsers.get(key);
}

/** An address in a network where nobody else is (RFC 2544 has them set aside for tests). */
let networks = 0;
const network = () => ({ 'X-Forwarded-For': `198.18.${(networks += 1)}.7` });

const usual = () => ({ locale: 'en-US', viewport: DESK, extraHTTPHeaders: network() });

/** A visitor who was never here, and goes when the test ends. */
async function visitor(t, options = {}, ...flags) {
  const context = await (await browser(...flags)).newContext({ ...usual(), ...options });
  t.after(() => context.close());
  return context;
}

/** One whose browser keeps no cookies, for anybody: a setting, which only a profile has. */
async function visitorWithoutCookies(t, options = {}) {
  const profile = fs.mkdtempSync(path.join(os.tmpdir(), 'lime-browser-'));
  fs.mkdirSync(path.join(profile, 'Default'));
  const preferences = { profile: { default_content_setting_values: { cookies: 2 } } };
  fs.writeFileSync(path.join(profile, 'Default', 'Preferences'), JSON.stringify(preferences));
  const all = { ...EXECUTABLE, args: ['--no-sandbox'], ...usual(), ...options };
  const context = await chromium.launchPersistentContext(profile, all);
  t.after(async () => {
    await context.close();
    fs.rmSync(profile, { recursive: true, force: true });
  });
  return context;
}

/** A tab, and what happens in it: documents loaded, answers handed in, faults that its console tells of. */
async function tab(context) {
  const page = await context.newPage();
  page.setDefaultTimeout(LIMIT_MS);
  const seen = { loads: [], posts: [], assets: [], faults: [], dialogs: [] };
  page.on('request', (request) => {
    const { pathname } = new URL(request.url());
    const isLoad = request.isNavigationRequest() && request.frame() === page.mainFrame();
    if (isLoad) seen.loads.push(request.url().split('#')[0]);
    if (pathname === '/.lime/pow' && request.method() === 'POST') seen.posts.push(request.url());
    if (pathname.startsWith('/.lime/challenge/')) seen.assets.push(path.basename(pathname));
  });
  page.on('pageerror', (error) => seen.faults.push(String(error)));
  page.on('console', (message) => {
    const isOfDocument = seen.loads.includes(message.location().url.split('#')[0]);
    const isStatus = isOfDocument && /status of 403/.test(message.text());
    if (['error', 'warning'].includes(message.type()) && !isStatus) seen.faults.push(message.text());
  });
  page.on('dialog', async (dialog) => {
    seen.dialogs.push(dialog.message());
    await dialog.dismiss();
  });
  return { page, seen };
}

const entered = (page) => page.getByRole('heading', { name: 'from the site' }).waitFor();
const isAsked = (page) => page.locator('#slice').waitFor();

/** What the site was asked for, as it says itself. */
const target = (page) => page.locator('body').innerText();

async function explained(page) {
  await page.getByRole('heading', { name: TROUBLE }).waitFor();
  await page.getByText('Allow cookies for this site').waitFor();
}

async function staysAsItIs({ page, seen }) {
  const loads = seen.loads.length;
  const isLoad = (request) => request.isNavigationRequest();
  const more = await page.waitForRequest(isLoad, { timeout: QUIET_MS }).catch(() => null);
  assert.equal(more, null, `it loads by itself, after ${loads} times`);
}

/** Runs in the page before its scripts: workers that rest when half of the work is done. */
function workersRestHalfway() {
  let found = 0;
  self.Worker = class extends self.Worker {
    constructor(url) {
      super(url);
      this.addEventListener('message', ({ data }) => (found += data.nonce >= 0 ? 1 : 0));
    }
    postMessage(message) {
      if (found < 8) super.postMessage(message);
    }
  };
}

async function workingTab(context, target) {
  await context.addInitScript(workersRestHalfway);
  const opened = await tab(context);
  await opened.page.goto(SITE + target);
  await isHalfway(opened.page);
  return opened;
}

async function isHalfway(page) {
  const isSaid = () => document.querySelector('#bar').value > 0.4 && document.querySelector('#left').textContent;
  await page.waitForFunction(isSaid);
}

async function shoot(page, name) {
  if (!SHOTS) return;
  const ended = () => Promise.all(document.getAnimations().map(({ finished }) => finished.catch(() => {})));
  await page.evaluate(ended);
  await page.screenshot({ path: path.join(SHOTS, `${name}.png`), fullPage: true });
}

/** That nothing stands in anybody's way, as far as a program can tell (WCAG 2.2 A and AA, and good practice). */
async function isAccessible(page, state) {
  await page.evaluate(AXE);
  // What is still fading in has no contrast yet. One without an end cannot be finished.
  await page.evaluate(() => {
    for (const animation of document.getAnimations()) {
      if (animation.effect.getComputedTiming().endTime !== Infinity) animation.finish();
    }
  });
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }));
  const told = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`);
  assert.deepEqual(told, [], state);
}

async function fitsItsWidth(page) {
  const [needed, there] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  assert.ok(needed <= there, `${needed} px are needed where ${there} are`);
}

async function clearance(context) {
  return (await context.cookies(SITE)).find(({ name }) => name === CLEARANCE);
}

// --- Ways in --------------------------------------------------------------------------------------------------------

describe('the page that asks for work', { concurrency: 3, timeout: SUITE_MS }, () => {
  test('a visitor is let in by himself, at the address that was asked for', async (t) => {
    const context = await visitor(t);
    const { page, seen } = await tab(context);
    const there = '/plain/a%20b?b=c;d;e=%2F;f=%20g#part-2';
    const response = await page.goto(SITE + there);
    assert.equal(response.status(), 403);
    await entered(page);
    assert.equal(page.url(), SITE + there);
    assert.match(await target(page), /\/plain\/a%20b\?b=c;d;e=%2F;f=%20g$/m);
    assert.equal(seen.posts.length, 1);
    assert.equal(seen.loads.length, 2, seen.loads.join(' '));
    assert.deepEqual(seen.faults, [], 'nothing in the console, of the content security policy or else');
    const { httpOnly, sameSite } = await clearance(context);
    assert.deepEqual([httpOnly, sameSite], [true, 'Lax']);
    assert.equal(await page.evaluate(() => document.cookie), '');
    assert.equal(await page.evaluate(() => history.state), null, "the site's history is its own");

    assert.equal((await page.goto(`${SITE}/plain/next`)).status(), 200, 'once is enough');
    assert.equal(seen.posts.length, 1);
  });

  test('without JavaScript it is a wait, and then the page', async (t) => {
    const context = await visitor(t, { javaScriptEnabled: false });
    const { page, seen } = await tab(context);
    const began = Date.now();
    await page.goto(`${SITE}/noscript?x=1`);
    assert.match(await page.locator('.note').innerText(), /opens by itself in about 2 seconds/);
    await shoot(page, 'noscript');
    await entered(page);
    assert.ok(Date.now() - began >= WAIT_MS - 1000, 'not before its time');
    assert.equal(page.url(), `${SITE}/noscript?x=1`);
    assert.deepEqual([seen.loads.length, seen.posts.length, seen.assets.length], [2, 0, 0]);
    assert.ok(await clearance(context), 'waiting is for a while, too');
  });

  test('without JavaScript, where waiting is no way in, the page says what it needs', async (t) => {
    const opened = await tab(await visitor(t, { javaScriptEnabled: false }));
    await opened.page.goto(`${SITE}/scripts/noscript`);
    assert.match(await opened.page.locator('.note').innerText(), /this page needs JavaScript/);
    await shoot(opened.page, 'noscript-needed');
    await staysAsItIs(opened);
  });

  test('without WebAssembly it takes longer, and works', async (t) => {
    const { page, seen } = await tab(await visitor(t, {}, '--js-flags=--jitless'));
    await page.goto(`${SITE}/no-wasm`);
    assert.equal(await page.evaluate(() => typeof WebAssembly), 'undefined');
    await entered(page);
    assert.deepEqual([seen.posts.length, seen.faults], [1, []]);
  });

  test('without SIMD there is the plain WebAssembly', async (t) => {
    const { page, seen } = await tab(await visitor(t, {}, '--js-flags=--no-enable-sse4-1'));
    // (func (result v128) (i8x16.popcnt (i8x16.splat (i32.const 0))))
    const body = [10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11];
    const simd = [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, ...body];
    await page.goto(`${SITE}/open/simd`);
    const isThere = await page.evaluate((code) => WebAssembly.validate(new Uint8Array(code)), simd);
    if (isThere) return t.skip('it cannot be switched off on this machine');
    await page.goto(`${SITE}/no-simd`);
    await entered(page);
    assert.ok(seen.assets.includes('solver.wasm'), seen.assets.join(' '));
    assert.deepEqual([seen.posts.length, seen.faults], [1, []]);
  });

  test('without workers the page works itself', async (t) => {
    const context = await visitor(t);
    await context.addInitScript(() => delete self.Worker);
    const { page, seen } = await tab(context);
    await page.goto(`${SITE}/no-worker`);
    await entered(page);
    assert.equal(seen.posts.length, 1);
    assert.ok(!seen.assets.includes('worker.js'), seen.assets.join(' '));
  });

  test('whoever has waited long may go on without the work', async (t) => {
    const context = await visitor(t);
    await context.clock.install();
    const began = Date.now();
    const { page, seen } = await workingTab(context, '/choice');
    await page.clock.runFor(21_000);
    const button = page.getByRole('button', { name: 'Continue without it' });
    await button.waitFor();
    await shoot(page, 'choice');
    await isAccessible(page, 'with a choice');
    // The page thinks that it was longer; the server knows.
    await new Promise((resolve) => setTimeout(resolve, Math.max(began + WAIT_MS + 500 - Date.now(), 0)));
    await button.click();
    await entered(page);
    assert.equal(seen.posts.length, 0);
  });

  // --- Tabs, and the way back ---------------------------------------------------------------------------------------

  test('two tabs opened at once both end at the site', async (t) => {
    const context = await visitor(t);
    const tabs = [await tab(context), await tab(context)];
    await Promise.all(tabs.map(({ page }, index) => page.goto(`${SITE}/at-once/${index}`)));
    await Promise.all(tabs.map(({ page }) => entered(page)));
    for (const [index, { page, seen }] of tabs.entries()) {
      assert.equal(page.url(), `${SITE}/at-once/${index}`);
      assert.deepEqual(seen.faults, []);
    }
  });

  test('a tab goes on as soon as another one was let in', async (t) => {
    const context = await visitor(t);
    const slow = await tab(context);
    await slow.page.addInitScript(workersRestHalfway);
    await slow.page.goto(`${SITE}/scripts/slow-tab`);
    await isHalfway(slow.page);
    const quick = await tab(context);
    await quick.page.goto(`${SITE}/scripts/quick-tab`);
    await Promise.all([entered(quick.page), entered(slow.page)]);
    assert.equal(slow.page.url(), `${SITE}/scripts/slow-tab`);
    assert.deepEqual([quick.seen.posts.length, slow.seen.posts.length], [1, 0], 'one answer for both');
  });

  test('back and forward pass the page by', async (t) => {
    const { page, seen } = await tab(await visitor(t));
    await page.goto(`${SITE}/open/before`);
    await page.goto(`${SITE}/history`);
    await entered(page);
    await page.waitForURL(`${SITE}/history`);
    await page.goto(`${SITE}/history/next`);
    await entered(page);
    for (const [go, expected] of [
      ['goBack', '/history'],
      ['goBack', '/open/before'],
      ['goForward', '/history'],
      ['goForward', '/history/next'],
    ]) {
      await page[go]();
      await entered(page);
      assert.equal(page.url(), SITE + expected);
    }
    assert.equal(seen.posts.length, 1);
  });

  // --- No way in: an explanation, once ------------------------------------------------------------------------------

  test('without cookies the page explains, and does not go round in circles', async (t) => {
    const opened = await tab(await visitorWithoutCookies(t));
    await opened.page.goto(`${SITE}/no-cookies`);
    await explained(opened.page);
    await opened.page.getByText('did not keep the cookie').waitFor();
    await staysAsItIs(opened);
    assert.ok(opened.seen.loads.length <= 3, `${opened.seen.loads.length} loads`);
    for (const colorScheme of ['light', 'dark']) {
      await opened.page.emulateMedia({ colorScheme });
      await shoot(opened.page, `explaining-${colorScheme}`);
      await isAccessible(opened.page, `explaining, ${colorScheme}`);
    }
    await opened.page.setViewportSize(PHONE);
    await fitsItsWidth(opened.page);
    await shoot(opened.page, 'explaining-dark-phone');
    await opened.page.getByRole('link', { name: 'Try again' }).click();
    await explained(opened.page);
    await staysAsItIs(opened);
    assert.ok(opened.seen.loads.length <= 5, `${opened.seen.loads.length} loads`);
  });

  test('without cookies and JavaScript the page gives up and explains', async (t) => {
    const opened = await tab(await visitorWithoutCookies(t, { javaScriptEnabled: false }));
    // Whoever looks into the page with a program counts as one who clicks: not before it has given up.
    const isPage = (response) => response.url().endsWith('/no-cookies-noscript');
    const isLast = async (response) =>
      isPage(response) && !(await response.text()).includes('http-equiv="refresh"');
    const last = opened.page.waitForResponse(isLast, { timeout: 2 * LIMIT_MS });
    await opened.page.goto(`${SITE}/no-cookies-noscript`);
    await last;
    assert.match(await opened.page.locator('.note').innerText(), /You have ended up here several times/);
    assert.match(await opened.page.locator('noscript ul').innerText(), /Allow cookies for this site/);
    await staysAsItIs(opened);
    assert.ok(opened.seen.loads.length <= 3, `${opened.seen.loads.length} loads`);
    await shoot(opened.page, 'last-try');
    // Axe is a script, too.
    const { page } = await tab(await visitor(t));
    await page.setContent(await opened.page.content());
    await isAccessible(page, 'the last try');
  });

  test('where a script does not come the page explains', async (t) => {
    const opened = await tab(await visitor(t));
    await opened.page.route('**/solve.js*', (route) => route.abort());
    await opened.page.goto(`${SITE}/no-solver`);
    await explained(opened.page);
    await opened.page.getByText('A part of this page could not be loaded').waitFor();
    await staysAsItIs(opened);
  });

  // --- A clearance that does not count ------------------------------------------------------------------------------

  for (const [what, change] of [
    ['altered', (value) => value.slice(0, -1) + (value.endsWith('A') ? 'B' : 'A')],
    ['cut short', (value) => value.slice(0, 20)],
    ['lost', () => null],
  ]) {
    test(`whose clearance is ${what} is asked once more`, async (t) => {
      const context = await visitor(t);
      const { page, seen } = await tab(context);
      const there = `/clearance/${what.replace(' ', '-')}`;
      await page.goto(SITE + there);
      await entered(page);
      const { value, ...rest } = await clearance(context);
      const changed = change(value);
      await context.clearCookies({ name: CLEARANCE });
      if (changed) await context.addCookies([{ ...rest, value: changed }]);
      assert.equal((await page.goto(SITE + there)).status(), 403);
      await entered(page);
      assert.equal(seen.posts.length, 2);
      assert.notEqual((await clearance(context)).value, changed);
      assert.equal((await page.reload()).status(), 200);
    });
  }

  test('whose network changes is asked once more, and then for no other network', async (t) => {
    const context = await visitor(t);
    const { page, seen } = await tab(context);
    await page.goto(`${SITE}/network/home`);
    await entered(page);
    const [one, other] = [network(), network()];
    await context.setExtraHTTPHeaders(one);
    assert.equal((await page.goto(`${SITE}/network/train`)).status(), 403);
    await entered(page);
    assert.equal(seen.posts.length, 2);
    for (const headers of [other, one]) {
      await context.setExtraHTTPHeaders(headers);
      assert.equal((await page.goto(`${SITE}/network/street`)).status(), 200);
    }
  });

  test('whose clearance is used up is asked once more', async (t) => {
    const { page, seen } = await tab(await visitor(t));
    await page.goto(`${SITE}/few/1`);
    await entered(page);
    assert.equal((await page.goto(`${SITE}/few/2`)).status(), 200);
    assert.equal((await page.goto(`${SITE}/few/3`)).status(), 403);
    await entered(page);
    assert.deepEqual([page.url(), seen.posts.length], [`${SITE}/few/3`, 2]);
    assert.equal((await page.goto(`${SITE}/few/4`)).status(), 200);
  });

  // --- What is not a page -------------------------------------------------------------------------------------------

  test('what a page loads is refused with a document, not with a page', async (t) => {
    const { page } = await tab(await visitor(t));
    await page.goto(`${SITE}/open/parts`);
    for (const [kind, load] of [
      ['image', (url) => Object.assign(new Image(), { src: url })],
      ['fetch', (url) => void fetch(url, { headers: { Accept: 'text/html' } })],
      ['script', (url) => document.head.append(Object.assign(document.createElement('script'), { src: url }))],
      ['frame', (url) => document.body.append(Object.assign(document.createElement('iframe'), { src: url }))],
    ]) {
      const url = `${SITE}/parts/${kind}`;
      const [response] = await Promise.all([page.waitForResponse(url), page.evaluate(load, url)]);
      assert.equal(response.status(), 401, kind);
      assert.equal(response.headers()['content-type'], 'application/problem+json', kind);
      assert.match(response.headers()['www-authenticate'], /^PoW challenge="/, kind);
    }
    const read = await page.evaluate(async (url) => (await (await fetch(url)).json()).reason, `${SITE}/parts/read`);
    assert.equal(read, 'clearance_required');
  });

  test('a form that is sent gets no page that would lose it', async (t) => {
    const { page, seen } = await tab(await visitor(t));
    await page.goto(`${SITE}/open/form`);
    const send = () => {
      const form = Object.assign(document.createElement('form'), { method: 'post', action: '/form' });
      document.body.append(form);
      form.submit();
    };
    const [response] = await Promise.all([page.waitForResponse(`${SITE}/form`), page.evaluate(send)]);
    assert.equal(response.status(), 401);
    await page.getByText('A little work is asked for here').first().waitFor();
    assert.equal(await page.locator('#lime-challenge, #slice').count(), 0);
    assert.equal(seen.posts.length, 0);
    await page.goBack();
    await entered(page);
  });

  // --- Nobody else's words ------------------------------------------------------------------------------------------

  test('a hostile address runs nothing', async (t) => {
    const hostile = '/%3Cscript%3Ealert(1)%3C/script%3E?x="</script><script>alert(1)</script>';
    const context = await visitor(t);
    const { page, seen } = await workingTab(context, hostile);
    assert.deepEqual(seen.faults, []);
    const sources = await page.evaluate(() => [...document.scripts].map(({ src, type }) => src || type));
    assert.equal(sources.length, 3, sources.join(' '));
    assert.doesNotMatch(await page.content(), /alert\(1\)/);
    const free = await tab(await visitor(t));
    await free.page.goto(SITE + hostile);
    await entered(free.page);
    assert.equal(free.page.url(), new URL(SITE + hostile).href);
    assert.deepEqual([...seen.dialogs, ...free.seen.dialogs], []);

    // Were one to slip in, it would not run; and the tests above would hear of it.
    const inject = (text) => document.body.append(Object.assign(document.createElement('script'), { text }));
    await page.evaluate(inject, 'alert(2)');
    assert.match(seen.faults.join(' '), /Content Security Policy/);
    assert.deepEqual(seen.dialogs, []);
  });

  for (const headers of [
    { Accept: 'text/html' },
    { Accept: 'text/html', 'Sec-Fetch-Dest': 'document', 'Accept-Language': '"><script>alert(1)</script>' },
    { Accept: 'application/json' },
  ]) {
    const sent = `${Object.keys(headers)}, ${headers.Accept}`;
    test(`nothing of a raw address or header comes back unescaped: ${sent}`, async () => {
      const target = '/<script>alert(1)</script>?x="</script><script>alert(1)</script>';
      const { hostname, port } = new URL(SITE);
      const response = await new Promise((resolve, reject) =>
        http.get({ hostname, port, path: target, headers, agent: false }, resolve).on('error', reject),
      );
      assert.ok([400, 401, 403].includes(response.statusCode), `${response.statusCode}`);
      const chunks = [];
      for await (const chunk of response) chunks.push(chunk);
      assert.doesNotMatch(Buffer.concat(chunks).toString(), /<script>alert/);
    });
  }

  // --- How it looks -------------------------------------------------------------------------------------------------

  test('while it works it can be read by everybody, by day and by night, at a desk and on a phone', async (t) => {
    const { page } = await workingTab(await visitor(t, { deviceScaleFactor: 2 }), '/looks');
    for (const [name, viewport] of Object.entries({ desk: DESK, phone: PHONE })) {
      for (const colorScheme of ['light', 'dark']) {
        await page.setViewportSize(viewport);
        await page.emulateMedia({ colorScheme });
        await shoot(page, `working-${colorScheme}-${name}`);
        await isAccessible(page, `working, ${colorScheme}, ${name}`);
        await fitsItsWidth(page);
      }
    }
    const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const dark = await ground();
    await page.emulateMedia({ colorScheme: 'light' });
    assert.notEqual(await ground(), dark);
    await page.getByText('Why am I seeing this?').click();
    await page.getByText('It runs entirely in your browser').waitFor();
    await shoot(page, 'working-light-phone-why');
    await isAccessible(page, 'working, with the reason');
  });

  test('in Arabic it reads from right to left', async (t) => {
    const options = { locale: 'ar', viewport: PHONE, deviceScaleFactor: 2 };
    const { page } = await workingTab(await visitor(t, options), '/arabic');
    const [lang, dir] = await page.evaluate(() => [document.documentElement.lang, document.documentElement.dir]);
    assert.deepEqual([lang, dir], ['ar', 'rtl']);
    assert.match(await page.getByRole('heading').innerText(), /\p{Script=Arabic}/u);
    assert.match(await page.locator('#left').innerText(), /\p{Script=Arabic}/u);
    const edges = (selector) => page.locator(selector).evaluate((part) => part.getBoundingClientRect().right);
    assert.ok((await edges('#slice')) > PHONE.width / 2, 'it begins at the right');
    await fitsItsWidth(page);
    await shoot(page, 'working-light-phone-arabic');
    await isAccessible(page, 'working, in Arabic');
  });
});

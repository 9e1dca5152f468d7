// The official conformance package. First argument `authorization`: its authorization server scenarios at the issuer, with
// the owner's browser. `server`: its server suite, once at an MCP server and once through the gateway before it, in both
// eras: the same checks must come out the same. `gateway`: its scenarios about headers and Origin, all of which must pass
// at a gateway even though the server behind it checks nothing.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { forward } from './forwarder.mjs';
import { OwnerBrowser } from './owner_browser.mjs';
import { assert, given, step, tell } from './story.mjs';

const VERSIONS = ['2025-11-25', '2026-07-28'];
const AT_THE_GATEWAY = [
  ['http-header-validation', '2026-07-28'],
  ['http-custom-header-server-validation', '2026-07-28'],
  ['dns-rebinding-protection', '2026-07-28'],
  ['dns-rebinding-protection', '2025-11-25'],
];

const modules = path.join(import.meta.dirname, '../node_modules');
const suite = path.join(modules, '@modelcontextprotocol/conformance/dist/index.js');

/** The package needs a newer Node.js than some machines have: npm brings one. */
function node() {
  if (Number(process.versions.node.split('.')[0]) >= 22) return process.execPath;
  const shipped = ['x64', 'arm64'].map((cpu) => path.join(modules, `node-linux-${cpu}/bin/node`)).find(existsSync);
  return shipped ?? assert.fail('no Node.js 22 among the modules');
}

/** Runs the suite into a folder of its own; gives what every check of every scenario said. */
async function run(args, heard = () => {}) {
  const folder = mkdtempSync(path.join(tmpdir(), 'conformance-'));
  try {
    const child = spawn(node(), [suite, ...args, '-o', folder], { stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8');
      stream.on('data', (text) => heard((said += text)));
    }
    await new Promise((ended, failed) => child.on('error', failed).on('close', ended));
    const found = results(folder);
    assert.ok(found.size, `it ran no scenario: ${said}`);
    return found;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Scenario -> its checks, each as `id status`, sorted; a reason beside what did not pass. */
function results(folder) {
  const found = new Map();
  for (const run of readdirSync(folder)) {
    const checks = JSON.parse(readFileSync(path.join(folder, run, 'checks.json'), 'utf8'));
    const scenario = run.replace(/^(authorization-server|server)-/, '').replace(/-\d{4}-\d\d-\d\dT.*$/, '');
    const told = checks.filter((check) => check.status !== 'INFO');
    found.set(scenario, {
      outcome: told.map(({ id, status }) => `${id} ${status}`).sort(),
      trouble: told.filter(({ status }) => status !== 'SUCCESS').map((check) => `${check.id}: ${check.errorMessage}`),
      count: told.length,
    });
  }
  return found;
}

const total = (found) => [...found.values()].reduce((sum, { count }) => sum + count, 0);

/** Every check of every scenario has passed. */
function passes(found, wanted) {
  for (const name of wanted) {
    const scenario = found.get(name);
    assert.ok(scenario?.count, `${name} did not run: ${[...found.keys()]}`);
    assert.deepEqual(scenario.trouble, [], name);
  }
}

async function registered(issuer, redirect) {
  const metadata = await (await fetch(`${issuer}/.well-known/oauth-authorization-server`)).json();
  const reply = await fetch(metadata.registration_endpoint, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({
      client_name: 'Conformance',
      redirect_uris: [redirect],
      token_endpoint_auth_method: 'none',
      grant_types: ['authorization_code'],
      response_types: ['code'],
      application_type: 'native',
    }),
  });
  assert.equal(reply.status, 201);
  return [(await reply.json()).client_id, metadata.authorization_endpoint];
}

async function authorization() {
  const [issuer, port] = [given('ISSUER'), given('CALLBACK_PORT')];
  const redirect = `http://127.0.0.1:${port}/callback`;
  const [client, endpoint] = await step('register a client', () => registered(issuer, redirect));
  const browser = new OwnerBrowser({ user: given('OWNER_USER'), password: given('OWNER_PASSWORD') });
  let opened;
  // The suite prints what a person is to open in a browser.
  const open = (said) => {
    const url = said.split('\n').slice(0, -1).find((line) => line.startsWith(`${endpoint}?`));
    if (url && !opened) opened = browser.authorize(url).then((query) => fetch(`${redirect}?${query}`));
  };
  const args = ['authorization', '--url', issuer, '--client-id', client, '--resource', given('MCP_URL'), '--port', port];
  const found = await step('run the authorization server scenarios', () => run(args, open));
  await step('the browser came back', () => opened ?? assert.fail('it was never asked for'));
  passes(found, ['authorization-server-metadata-endpoint', 'authorization-code-grant']);
  return `${total(found)} checks of an authorization server`;
}

const serverSuite = (url, version, more = ['--suite', 'all']) => run(['server', '--url', url, '--spec-version', version, ...more]);

/** The gateway's MCP endpoint, with a token on every request. */
async function withToken() {
  const url = new URL(given('MCP_URL'));
  url.port = await forward(url.origin, given('TOKEN'));
  return url.href;
}

async function server() {
  const told = [];
  const through = await withToken();
  for (const version of VERSIONS) {
    const direct = await step(`${version}: at the server itself`, () => serverSuite(given('UPSTREAM_URL'), version));
    const proxied = await step(`${version}: through the gateway`, () => serverSuite(through, version));
    await step(`${version}: the same`, () => {
      assert.deepEqual([...proxied.keys()].sort(), [...direct.keys()].sort());
      assert.ok(total(direct) > 50, `only ${total(direct)} checks`);
      const succeeded = [...direct.values()].flatMap(({ outcome }) => outcome).filter((told) => told.endsWith(' SUCCESS'));
      assert.ok(succeeded.length > total(direct) / 2, `${succeeded.length} of ${total(direct)} pass at the server itself`);
      const differing = [...direct].filter(([name, { outcome }]) => `${outcome}` !== `${proxied.get(name).outcome}`);
      const shown = differing.map(([name, { trouble }]) => ({ name, direct: trouble, proxied: proxied.get(name).trouble }));
      assert.deepEqual(shown, []);
    });
    told.push(`${total(direct)} checks of ${version}`);
  }
  return `${told.join(' and ')} come out the same`;
}

async function gateway() {
  const through = await withToken();
  const counts = [];
  for (const [name, version] of AT_THE_GATEWAY) {
    const found = await step(`${name} of ${version}`, () => serverSuite(through, version, ['--scenario', name]));
    // One scenario is saved under the name it was asked for.
    passes(found, [name]);
    counts.push(`${total(found)} of ${name} (${version})`);
  }
  return `${counts.join(', ')}, before a server that checks nothing`;
}

const parts = { authorization, server, gateway };
tell(`conformance ${process.argv[2]}`, () => parts[process.argv[2]]());

// What a client of either major version of the SDK lives through at a protected MCP server, from the first 401 to the
// last. The two differ in how they are told of the callback and in what they do about a missing scope.
import { clientDocument } from './client_document.mjs';
import { MemoryProvider } from './memory_provider.mjs';
import { OwnerBrowser } from './owner_browser.mjs';
import { assert, claims, eventually, given, step, tampered } from './story.mjs';

const owner = () => new OwnerBrowser({ user: given('OWNER_USER'), password: given('OWNER_PASSWORD') });
// A client asks for `offline_access` beside, where the issuer knows the word.
const words = (scope) => (scope ?? '').split(' ').filter((word) => word !== 'offline_access').sort();

/** `sdk`: { connect(url, provider) -> { client, finish(), close() }, widens: whether it steps up beside a refresh token } */
export async function authorizedNotes(sdk, { registers }) {
  const url = given('MCP_URL');
  await step('a stranger is told where to go', () => stranger(url));

  const options = {};
  let document;
  if (registers === 'by document') {
    document = await clientDocument(new MemoryProvider().clientMetadata);
    options.clientMetadataUrl = document.url;
  }
  const provider = new MemoryProvider(owner(), options);
  const session = await step('connect: discovery, registration, sign-in, consent, code', () => sdk.connect(url, provider));
  const client = provider.clientInformation();
  if (document) {
    assert.equal(client.client_id, document.url);
    assert.ok(document.fetched >= 1, 'the issuer has read the document');
  }
  const first = provider.asked[0].searchParams;
  assert.equal(first.get('resource'), url);
  assert.deepEqual(words(first.get('scope')), ['mcp:read']);
  assert.equal(provider.callback.get('iss'), given('ISSUER'));
  const granted = claims(provider.tokens().access_token);
  assert.deepEqual([granted.iss, [granted.aud].flat(), granted.client_id], [given('ISSUER'), [url], client.client_id]);

  await step('list the tools: what nobody may call is not there', async () => {
    const names = (await session.client.listTools()).tools.map((tool) => tool.name);
    assert.ok(names.includes('add') && names.includes('slow'), names.join());
    assert.ok(!names.includes('internal_reset'), names.join());
  });
  await step('call a tool', () => adds(session));
  await step('call what nobody may: as if it were not there', async () => {
    const said = await session.client.callTool({ name: 'internal_reset', arguments: {} }).catch((error) => error);
    const text = said instanceof Error ? said.message : JSON.stringify(said);
    assert.match(text, /unknown tool|not found/i);
    assert.ok(said instanceof Error || said.isError);
  });
  await step('read a resource and get a prompt', async () => {
    const { contents } = await session.client.readResource({ uri: 'note://1' });
    assert.equal(contents[0].text, 'buy milk');
    const { messages } = await session.client.getPrompt({ name: 'summarise', arguments: { note: '1' } });
    assert.equal(messages[0].content.text, 'Summarise note 1');
  });
  await step('follow the progress of a slow tool', async () => {
    const seen = [];
    const options = { onprogress: ({ progress }) => seen.push(progress) };
    const slow = { name: 'slow', arguments: { times: 3, every: 20 } };
    const { content } = await sdk.call(session.client, slow, options);
    assert.deepEqual([content[0].text, seen], ['done', [1, 2, 3]]);
  });

  await step('step up: a tool that needs another scope', () => stepsUp(sdk, session, provider));
  const before = provider.tokens();
  await step('refresh: a token that counts for nothing any more', async () => {
    provider.saveTokens({ ...before, access_token: tampered(before.access_token) });
    await adds(session);
  });
  const after = provider.tokens();
  assert.notEqual(after.access_token, before.access_token);
  assert.notEqual(after.refresh_token, before.refresh_token, 'a public client gets another refresh token');
  assert.deepEqual(words(after.scope ?? before.scope), ['mcp:read', 'mcp:write']);
  assert.equal(provider.asked.length, 2, 'nobody was asked again');

  await step('revoke, and be refused', () => revoked(url, provider));
  await session.close();
  return `${registers}, code, tools, step-up, refresh, revoke`;
}

async function adds({ client }) {
  const { content } = await client.callTool({ name: 'add', arguments: { a: 2, b: 40 } });
  assert.equal(content[0].text, '42');
}

async function stranger(url) {
  const reply = await fetch(url, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Accept: 'application/json, text/event-stream' },
    body: '{"jsonrpc":"2.0","id":1,"method":"tools/list"}',
  });
  await reply.text();
  const challenge = reply.headers.get('www-authenticate') ?? '';
  assert.equal(reply.status, 401);
  assert.match(challenge, /^Bearer /);
  assert.match(challenge, /scope="mcp:read"/);
  assert.doesNotMatch(challenge, /error=/, 'who showed nothing made no error');
  const named = /resource_metadata="([^"]+)"/.exec(challenge)?.[1];
  const { origin, pathname } = new URL(url);
  assert.equal(named, `${origin}/.well-known/oauth-protected-resource${pathname === '/' ? '' : pathname}`);
  const metadata = await (await fetch(named)).json();
  assert.deepEqual([metadata.resource, metadata.authorization_servers], [url, [given('ISSUER')]]);
}

async function stepsUp(sdk, session, provider) {
  // Version 1 would try its refresh token, which gives no more scope, and then give up.
  provider.refreshes = sdk.widens;
  const call = { name: 'delete_note', arguments: { id: '1' } };
  const refused = await session.client.callTool(call).then(
    () => assert.fail('it was allowed without the scope'),
    (error) => error,
  );
  assert.equal(provider.asked.length, 2, `the client asked again: ${refused}`);
  assert.deepEqual(words(provider.asked[1].searchParams.get('scope')), ['mcp:read', 'mcp:write']);
  await session.finish();
  provider.refreshes = true;
  const { content } = await session.client.callTool(call);
  assert.equal(content[0].text, 'deleted 1');
  await adds(session);
}

async function revoked(url, provider) {
  const issuer = given('ISSUER');
  const metadata = await (await fetch(`${issuer}/.well-known/oauth-authorization-server`)).json();
  const { client_id } = provider.clientInformation();
  const { access_token, refresh_token } = provider.tokens();
  const post = (endpoint, body) => fetch(endpoint, { method: 'POST', body: new URLSearchParams({ client_id, ...body }) });
  const reply = await post(metadata.revocation_endpoint, { token: refresh_token, token_type_hint: 'refresh_token' });
  assert.equal(reply.status, 200, await reply.text());
  const again = await post(metadata.token_endpoint, { grant_type: 'refresh_token', refresh_token, resource: url });
  assert.deepEqual([again.status, (await again.json()).error], [400, 'invalid_grant']);
  await eventually('the access token is refused', async () => {
    const reply = await fetch(url, {
      method: 'POST',
      headers: {
        Authorization: `Bearer ${access_token}`,
        'Content-Type': 'application/json',
        Accept: 'application/json, text/event-stream',
      },
      body: '{"jsonrpc":"2.0","id":1,"method":"ping"}',
    });
    await reply.text();
    return reply.status === 401 && /error="invalid_token"/.test(reply.headers.get('www-authenticate') ?? '');
  });
}

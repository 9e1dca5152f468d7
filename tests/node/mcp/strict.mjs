// The two strictest readers of the RFCs there are: npm oauth4webapi goes the whole way by hand and judges every answer,
// the access token by RFC 9068 among them; npm openid-client reads the metadata.
import * as oauth from 'oauth4webapi';
import * as openid from 'openid-client';
import { clientDocument } from './client_document.mjs';
import { OwnerBrowser } from './owner_browser.mjs';
import { assert, eventually, given, step, tell } from './story.mjs';

const insecure = { [oauth.allowInsecureRequests]: true };
const redirect_uri = 'http://127.0.0.1:49153/callback';
const browser = () => new OwnerBrowser({ user: given('OWNER_USER'), password: given('OWNER_PASSWORD') });

async function discovered(url) {
  const resource = await oauth.processResourceDiscoveryResponse(
    new URL(url),
    await oauth.resourceDiscoveryRequest(new URL(url), insecure),
  );
  assert.deepEqual(resource.bearer_methods_supported ?? ['header'], ['header']);
  assert.ok(!resource.scopes_supported?.includes('offline_access'));
  const issuer = new URL(resource.authorization_servers[0]);
  const server = await oauth.processDiscoveryResponse(
    issuer,
    await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...insecure }),
  );
  return server;
}

function rightMetadata(server) {
  assert.equal(server.issuer, given('ISSUER'));
  assert.deepEqual(server.code_challenge_methods_supported, ['S256']);
  assert.deepEqual(server.response_types_supported, ['code']);
  assert.equal(server.authorization_response_iss_parameter_supported, true);
  assert.equal(server.client_id_metadata_document_supported, true);
  for (const method of ['none', 'client_secret_basic', 'private_key_jwt']) {
    assert.ok(server.token_endpoint_auth_methods_supported.includes(method), method);
  }
  assert.ok(server.token_endpoint_auth_signing_alg_values_supported.length);
  for (const grant of ['authorization_code', 'refresh_token', 'client_credentials']) {
    assert.ok(server.grant_types_supported.includes(grant), grant);
  }
  for (const endpoint of ['registration_endpoint', 'revocation_endpoint', 'jwks_uri']) assert.ok(server[endpoint], endpoint);
}

async function registered(server) {
  const reply = await oauth.dynamicClientRegistrationRequest(
    server,
    {
      client_name: 'A strict client',
      redirect_uris: [redirect_uri],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
      application_type: 'native',
    },
    insecure,
  );
  return oauth.processDynamicClientRegistrationResponse(reply);
}

function request(server, client, { verifier, challenge, state, ...more }) {
  const url = new URL(server.authorization_endpoint);
  const parameters = {
    client_id: client.client_id,
    redirect_uri,
    response_type: 'code',
    scope: 'mcp:read',
    resource: given('MCP_URL'),
    state,
    code_challenge: challenge,
    code_challenge_method: 'S256',
    ...more,
  };
  for (const [name, value] of Object.entries(parameters)) if (value !== undefined) url.searchParams.set(name, value);
  return url;
}

/** The error that a client is told of at its redirect URI, once `iss` and `state` are found right. */
async function toldOf(server, client, more, decision) {
  const state = oauth.generateRandomState();
  const challenge = await oauth.calculatePKCECodeChallenge(oauth.generateRandomCodeVerifier());
  const query = await browser().authorize(request(server, client, { challenge, state, ...more }), { decision });
  assert.equal(query.get('iss'), server.issuer);
  try {
    oauth.validateAuthResponse(server, client, query, state);
  } catch (error) {
    if (error instanceof oauth.AuthorizationResponseError) return error.error;
    throw error;
  }
  throw new Error(`no error: ${query}`);
}

async function judged(server, url, access_token) {
  const asked = new Request(url, { headers: { authorization: `Bearer ${access_token}` } });
  const claims = await oauth.validateJwtAccessToken(server, asked, url, insecure);
  assert.equal(claims.scope, 'mcp:read');
  assert.equal(claims.aud, url, 'this resource alone');
  await assert.rejects(oauth.validateJwtAccessToken(server, asked, `${url}/other`, insecure));
  return claims;
}

function asks(url, access_token, name = 'add', args = { a: 2, b: 40 }) {
  const headers = new Headers({ accept: 'application/json, text/event-stream', 'content-type': 'application/json' });
  headers.set('mcp-protocol-version', '2026-07-28');
  headers.set('mcp-method', 'tools/call');
  headers.set('mcp-name', name);
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientInfo': { name: 'strict', version: '1' },
    'io.modelcontextprotocol/clientCapabilities': {},
  };
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: args, _meta } });
  return oauth.protectedResourceRequest(access_token, 'POST', new URL(url), headers, body, insecure);
}

/** The parameters of the challenge that a request is refused with. */
async function challenged(run) {
  const error = await run().then(
    () => assert.fail('it was allowed'),
    (error) => error,
  );
  if (!(error instanceof oauth.WWWAuthenticateChallengeError)) throw error;
  return { status: error.status, ...error.cause[0].parameters };
}

/** A code, and what it was redeemed for; `redeem` shows it again. */
async function granted(server, client, target, more = {}) {
  const verifier = oauth.generateRandomCodeVerifier();
  const [state, challenge] = [oauth.generateRandomState(), await oauth.calculatePKCECodeChallenge(verifier)];
  const query = await browser().authorize(request(server, client, { challenge, state, ...more }));
  const parameters = oauth.validateAuthResponse(server, client, query, state);
  const redeem = () =>
    oauth.authorizationCodeGrantRequest(server, client, oauth.None(), parameters, redirect_uri, verifier, target);
  return { redeem, tokens: await oauth.processAuthorizationCodeResponse(server, client, await redeem()) };
}

/** The parameters of the challenge that a token is refused with; nothing while it is not. */
const refusedAt = (url, token) =>
  asks(url, token).then(
    () => undefined,
    () => challenged(() => asks(url, token)),
  );

/** The whole way of a client, from its first code to the replay that ends it. */
async function goes(server, client, url) {
  const target = { additionalParameters: { resource: url }, ...insecure };
  const { tokens } = await step('authorize and redeem the code', () => granted(server, client, target));
  const claims = await step('judge the token by RFC 9068', () => judged(server, url, tokens.access_token));
  assert.equal(claims.client_id, client.client_id);
  await step('use it', async () => assert.equal((await (await asks(url, tokens.access_token)).json()).result.content[0].text, '42'));
  const scope = await step('be told which scope is missing', async () => {
    const told = await challenged(() => asks(url, tokens.access_token, 'delete_note', { id: '1' }));
    assert.deepEqual([told.status, told.error, told.scope.split(' ').sort()], [403, 'insufficient_scope', ['mcp:read', 'mcp:write']]);
    assert.ok(told.resource_metadata);
    return told.scope;
  });
  await step('step up, and revoke what that gave', async () => {
    const { tokens: wider } = await granted(server, client, target, { scope });
    const deleted = await (await asks(url, wider.access_token, 'delete_note', { id: '1' })).json();
    assert.equal(deleted.result.content[0].text, 'deleted 1');
    await oauth.processRevocationResponse(
      await oauth.revocationRequest(server, client, oauth.None(), wider.refresh_token, insecure),
    );
    const told = await eventually('its access token is refused', () => refusedAt(url, wider.access_token));
    assert.deepEqual([told.status, told.error], [401, 'invalid_token']);
    const reply = await oauth.refreshTokenGrantRequest(server, client, oauth.None(), wider.refresh_token, target);
    await assert.rejects(oauth.processRefreshTokenResponse(server, client, reply), { error: 'invalid_grant' });
  });
  // Revoking one grant of an agent shuts out what it was given before: a new one begins here.
  const { redeem, tokens: later } = await step('authorize again', () => granted(server, client, target));

  const refreshed = await step('refresh', async () => {
    const reply = await oauth.refreshTokenGrantRequest(server, client, oauth.None(), later.refresh_token, target);
    return oauth.processRefreshTokenResponse(server, client, reply);
  });
  assert.notEqual(refreshed.refresh_token, later.refresh_token);
  await judged(server, url, refreshed.access_token);

  await step('replay the code, and lose everything', async () => {
    await assert.rejects(oauth.processAuthorizationCodeResponse(server, client, await redeem()), { error: 'invalid_grant' });
    const told = await eventually('its tokens are refused', () => refusedAt(url, refreshed.access_token));
    assert.deepEqual([told.status, told.error], [401, 'invalid_token']);
    const reply = await oauth.refreshTokenGrantRequest(server, client, oauth.None(), refreshed.refresh_token, target);
    await assert.rejects(oauth.processRefreshTokenResponse(server, client, reply), { error: 'invalid_grant' });
  });
  await step('revoke what is unknown: no news (RFC 7009 section 2.2)', async () => {
    for (const token of [refreshed.refresh_token, refreshed.access_token, 'nonsense']) {
      await oauth.processRevocationResponse(await oauth.revocationRequest(server, client, oauth.None(), token, insecure));
    }
  });
}

tell('oauth4webapi and openid-client', async () => {
  const url = given('MCP_URL');
  const server = await step('discover the resource and its authorization server', () => discovered(url));
  await step('read the metadata', () => rightMetadata(server));
  await step('read them with openid-client', async () => {
    const execute = [openid.allowInsecureRequests];
    for (const algorithm of ['oauth2', 'oidc']) {
      const found = await openid.discovery(new URL(server.issuer), 'x', undefined, openid.None(), { algorithm, execute });
      assert.ok(found.serverMetadata().supportsPKCE('S256'));
    }
  });
  const client = await step('register', () => registered(server));

  await step('be told of errors at the redirect URI', async () => {
    assert.equal(await toldOf(server, client, {}, 'deny'), 'access_denied');
    assert.equal(await toldOf(server, client, { scope: 'mcp:everything' }), 'invalid_scope');
    assert.equal(await toldOf(server, client, { resource: 'https://elsewhere.example/mcp' }), 'invalid_target');
    assert.equal(await toldOf(server, client, { resource: `${url}#part` }), 'invalid_target');
    assert.equal(await toldOf(server, client, { response_type: 'token' }), 'unsupported_response_type');
    assert.equal(await toldOf(server, client, { code_challenge: undefined }), 'invalid_request');
    assert.equal(await toldOf(server, client, { code_challenge_method: 'plain' }), 'invalid_request');
    assert.equal(await toldOf(server, client, { code_challenge_method: undefined }), 'invalid_request');
  });

  await goes(server, client, url);
  const document = await clientDocument({
    client_name: 'A strict client of the web',
    redirect_uris: [redirect_uri],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
  });
  await step('the same as a client that is a document', () => goes(server, { client_id: document.url }, url));
  assert.equal(document.fetched, 1);
  return 'metadata, errors, and twice: RFC 9068 token, step-up, refresh, replay, revocation';
});

// A program with credentials of its own (client_credentials): npm @modelcontextprotocol/client, once with a secret and
// once with a key.
import { readFileSync } from 'node:fs';
import { Client, ClientCredentialsProvider, PrivateKeyJwtProvider, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { assert, claims, given, step, tell } from './story.mjs';

async function works(name, provider, clientId) {
  const url = given('MCP_URL');
  const client = new Client({ name, version: '1' }, { versionNegotiation: { mode: 'auto' } });
  await step(`${name}: connect`, () => client.connect(new StreamableHTTPClientTransport(new URL(url), { authProvider: provider })));
  await step(`${name}: call a tool`, async () => {
    const { content } = await client.callTool({ name: 'add', arguments: { a: 2, b: 40 } });
    assert.equal(content[0].text, '42');
  });
  const tokens = provider.tokens();
  const token = claims(tokens.access_token);
  assert.deepEqual([token.iss, [token.aud].flat(), token.client_id], [given('ISSUER'), [url], clientId]);
  assert.equal(tokens.refresh_token, undefined, 'it can ask again whenever it likes (RFC 6749 section 4.4.3)');
  await client.close();
}

async function refused(name, provider) {
  await step(`${name}: refused`, async () => {
    const client = new Client({ name, version: '1' });
    const transport = new StreamableHTTPClientTransport(new URL(given('MCP_URL')), { authProvider: provider });
    await assert.rejects(client.connect(transport), (error) => /invalid_client|client/i.test(`${error.code} ${error.message}`));
  });
}

tell('client_credentials', async () => {
  const [scope, expectedIssuer] = ['mcp:read', given('ISSUER')];
  const [clientId, clientSecret] = ['CLIENT_ID', 'CLIENT_SECRET'].map(given);
  await works('secret', new ClientCredentialsProvider({ clientId, clientSecret, scope, expectedIssuer }), clientId);
  const wrong = `${clientSecret}x`;
  await refused('wrong secret', new ClientCredentialsProvider({ clientId, clientSecret: wrong, scope, expectedIssuer }));
  const [keyClient, algorithm] = ['KEY_CLIENT_ID', 'KEY_ALG'].map(given);
  const key = (name) => readFileSync(given(name), 'utf8');
  const keyed = (file) =>
    new PrivateKeyJwtProvider({ clientId: keyClient, privateKey: key(file), algorithm, scope, expectedIssuer });
  await works('key', keyed('KEY_FILE'), keyClient);
  await refused('key of somebody else', keyed('OTHER_KEY_FILE'));
  return 'secret and key, and neither a wrong secret nor a strange key';
});

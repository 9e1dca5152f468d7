// npm @modelcontextprotocol/sdk: the SDK's first major, which most shipped clients have inside. Argument: `dcr` or `cimd`.
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { UnauthorizedError } from '@modelcontextprotocol/sdk/client/auth.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { authorizedNotes } from './authorized_notes.mjs';
import { tell } from './story.mjs';

const [how = 'dcr'] = process.argv.slice(2);

const sdk = {
  widens: false,
  call: (client, call, options) => client.callTool(call, undefined, options),
  async connect(url, provider) {
    const client = () => new Client({ name: 'notes', version: '1' });
    const transport = () => new StreamableHTTPClientTransport(new URL(url), { authProvider: provider });
    const code = () => provider.callback.get('code');
    let current = transport();
    try {
      await client().connect(current);
      throw new Error('it came in without a token');
    } catch (error) {
      if (!(error instanceof UnauthorizedError)) throw error;
      await current.finishAuth(code());
    }
    current = transport();
    const connected = client();
    await connected.connect(current);
    return { client: connected, finish: () => current.finishAuth(code()), close: () => connected.close() };
  },
};

tell('@modelcontextprotocol/sdk', () =>
  authorizedNotes(sdk, { registers: how === 'cimd' ? 'by document' : 'by RFC 7591' }),
);

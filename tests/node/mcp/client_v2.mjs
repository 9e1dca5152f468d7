// npm @modelcontextprotocol/client: the SDK's second major, in the era named by its first argument (`legacy`, `auto` or a
// version). The second: `dcr` or `cimd`.
import { Client, StreamableHTTPClientTransport, UnauthorizedError } from '@modelcontextprotocol/client';
import { authorizedNotes } from './authorized_notes.mjs';
import { tell } from './story.mjs';

const [era = 'auto', how = 'dcr'] = process.argv.slice(2);
const mode = ['legacy', 'auto'].includes(era) ? era : { pin: era };

const sdk = {
  widens: true,
  call: (client, call, options) => client.callTool(call, options),
  async connect(url, provider) {
    const client = new Client({ name: 'notes', version: '1' }, { versionNegotiation: { mode } });
    const transport = () => new StreamableHTTPClientTransport(new URL(url), { authProvider: provider });
    let current = transport();
    try {
      await client.connect(current);
      throw new Error('it came in without a token');
    } catch (error) {
      if (!(error instanceof UnauthorizedError)) throw error;
      await current.finishAuth(provider.callback);
    }
    current = transport();
    await client.connect(current);
    return { client, finish: () => current.finishAuth(provider.callback), close: () => client.close() };
  },
};

tell(`@modelcontextprotocol/client, ${era}`, () =>
  authorizedNotes(sdk, { registers: how === 'cimd' ? 'by document' : 'by RFC 7591' }),
);

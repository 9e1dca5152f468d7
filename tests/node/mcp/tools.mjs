// What the MCP server of these tests offers: the notes that the tests of authorization are about, and what the
// conformance package calls by name.
import { completable, createRequestStateCodec, McpServer } from '@modelcontextprotocol/server';
import { z } from 'zod';
import { offerConformance } from './conformance_tools.mjs';

/** What a request's body may weigh. */
export const BODY_BYTES_MAX = 4 << 20;

const states = createRequestStateCodec({ key: 'the key of a server in a test, 32+ bytes long' });

export const text = (said) => ({ content: [{ type: 'text', text: said }] });
export const wait = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

/** A server for one request, or for one session of the older era. `changed` tells every subscriber of a change. */
export function server({ era }, changed) {
  const capabilities = {
    tools: { listChanged: true },
    resources: { subscribe: true },
    prompts: { listChanged: true },
    logging: {},
    completions: {},
  };
  if (era === 'modern') delete capabilities.logging;
  const made = new McpServer(
    { name: 'notes', version: '1.0.0' },
    {
      capabilities,
      requestState: { verify: states.verify },
      // Public on purpose: whoever filters the list per caller has to say otherwise.
      cacheHints: { 'tools/list': { ttlMs: 60_000, cacheScope: 'public' }, 'resources/list': { ttlMs: 60_000, cacheScope: 'public' } },
    },
  );
  offerNotes(made);
  offerConformance(made, { era, states, changed });
  return made;
}

function offerNotes(made) {
  made.registerTool(
    'add',
    { description: 'Adds two numbers', inputSchema: z.object({ a: z.number(), b: z.number() }) },
    ({ a, b }) => text(String(a + b)),
  );
  made.registerTool(
    'delete_note',
    { description: 'Deletes a note', inputSchema: z.object({ id: z.string() }), annotations: { destructiveHint: true } },
    ({ id }) => text(`deleted ${id}`),
  );
  made.registerTool('internal_reset', { description: 'Forgets everything', inputSchema: z.object({}) }, () => text('reset'));
  made.registerTool(
    'slow',
    {
      description: 'Tells of its progress every `every` milliseconds, `times` times',
      inputSchema: z.object({ times: z.number().default(3), every: z.number().default(50) }),
    },
    async ({ times, every }, { mcpReq }) => {
      for (let step = 1; step <= times && !mcpReq.signal.aborted; step += 1) {
        await wait(every);
        const progressToken = mcpReq._meta?.progressToken ?? 'none';
        await mcpReq.notify({ method: 'notifications/progress', params: { progressToken, progress: step, total: times } });
      }
      return text('done');
    },
  );
  made.registerResource('note', 'note://1', { description: 'A note', mimeType: 'text/plain' }, (uri) => ({
    contents: [{ uri: uri.href, mimeType: 'text/plain', text: 'buy milk' }],
  }));
  made.registerPrompt(
    'summarise',
    { description: 'Asks for a summary', argsSchema: z.object({ note: completable(z.string(), () => ['1', '2']) }) },
    ({ note }) => ({ messages: [{ role: 'user', content: { type: 'text', text: `Summarise note ${note}` } }] }),
  );
}

// An MCP server that knows nothing of OAuth, for both eras of the protocol: requests of 2026-07-28 are served each for
// itself, older ones in sessions. Arguments: the port; `modern`, `legacy` or `both` (the default); and `lax` for one that
// believes bodies, whatever the headers say. Who asks for `/seen` learns the headers of every request so far. A line on
// stdout says that it listens.
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { NodeStreamableHTTPServerTransport, toNodeHandler, toWebRequest } from '@modelcontextprotocol/node';
import { createMcpHandler, isLegacyRequest, localhostAllowedOrigins, validateOriginHeader } from '@modelcontextprotocol/server';
import { BODY_BYTES_MAX, server } from './tools.mjs';

const [port, era = 'both', manner = 'strict'] = process.argv.slice(2);

/** The headers of every request so far, and whether its client went away before the answer was whole. */
const seen = [];

/** Open sessions of the older era: id -> transport. */
const sessions = new Map();

/** Events of the streams, for clients that come back with `Last-Event-ID`. */
class Events {
  #events = [];

  async storeEvent(stream, message) {
    const id = `${stream}_${this.#events.length}`;
    this.#events.push({ id, stream, message });
    return id;
  }

  async getStreamIdForEventId(id) {
    return this.#events.find((event) => event.id === id)?.stream;
  }

  async replayEventsAfter(last, { send }) {
    const at = this.#events.findIndex((event) => event.id === last);
    const stream = this.#events[at]?.stream ?? '';
    for (const event of this.#events.slice(at + 1)) {
      // What opened the stream has no message of its own.
      if (event.stream === stream && Object.keys(event.message).length) await send(event.id, event.message);
    }
    return stream;
  }
}

async function session() {
  const transport = new NodeStreamableHTTPServerTransport({
    sessionIdGenerator: randomUUID,
    onsessioninitialized: (id) => void sessions.set(id, transport),
    onsessionclosed: (id) => void sessions.delete(id),
    eventStore: new Events(),
    retryInterval: 500,
  });
  await server({ era: 'legacy' }).connect(transport);
  return transport;
}

function refuse(response, status, code, message) {
  response.writeHead(status, { 'Content-Type': 'application/json' });
  response.end(JSON.stringify({ jsonrpc: '2.0', id: null, error: { code, message } }));
}

async function legacy(request, response, body) {
  const id = request.headers['mcp-session-id'];
  if (id && !sessions.has(id)) return refuse(response, 404, -32001, 'Session not found');
  const opens = [body].flat().some((message) => message?.method === 'initialize');
  if (!id && !opens) return refuse(response, 400, -32000, 'Bad Request: no session');
  const transport = sessions.get(id) ?? (await session());
  await transport.handleRequest(request, response, body);
}

async function read(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Serves what the body says, with headers to match. */
async function lax(request, response) {
  const body = JSON.parse(await read(request));
  const { method, params = {} } = body;
  // The one argument of its tools that is to be repeated.
  const region = params.arguments?.region;
  const repeated = region ? { 'mcp-param-region': `=?base64?${Buffer.from(region).toString('base64')}?=` } : {};
  const name = params.name ?? params.uri;
  const version = params._meta?.['io.modelcontextprotocol/protocolVersion'];
  if (!version) return legacy(request, response, body);
  const headers = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
  Object.assign(headers, { 'mcp-method': method, ...(version && { 'mcp-protocol-version': version }), ...(name && { 'mcp-name': name }), ...repeated });
  const reply = await modern.fetch(new Request('http://localhost/mcp', { method: 'POST', headers, body: JSON.stringify(body) }));
  response.writeHead(reply.status, Object.fromEntries(reply.headers));
  for await (const chunk of reply.body ?? []) response.write(chunk);
  response.end();
}

const changed = { tools: () => modern.notify.toolsChanged(), prompts: () => modern.notify.promptsChanged() };
const modern = createMcpHandler((context) => server(context, changed), { legacy: 'reject', maxRequestBodySize: BODY_BYTES_MAX });
const modernHandler = toNodeHandler(modern);

async function serve(request, response) {
  if (request.url === '/seen') return void response.end(JSON.stringify(seen));
  const entry = { method: request.method, headers: request.headers, aborted: false };
  seen.push(entry);
  response.on('close', () => (entry.aborted = !response.writableFinished));
  if (manner === 'lax') return lax(request, response);
  // A gateway may forward the name of its own host: any name of this machine will do.
  const { ok } = validateOriginHeader(request.headers.origin, localhostAllowedOrigins());
  if (!ok) return refuse(response, 403, -32000, 'Origin not allowed');
  const bytes = await read(request);
  entry.bytes = bytes.length;
  let body;
  try {
    body = bytes.length ? JSON.parse(bytes) : undefined;
  } catch {
    return refuse(response, 400, -32700, 'Parse error');
  }
  const isLegacy = era !== 'modern' && (era === 'legacy' || (await isLegacyRequest(await toWebRequest(request, body), body)));
  await (isLegacy ? legacy(request, response, body) : modernHandler(request, response, body));
}

const http = createServer((request, response) => {
  serve(request, response).catch((error) => {
    console.error(error);
    response.destroy();
  });
});
http.listen(Number(port), '127.0.0.1', () => console.log(JSON.stringify({ event: 'ready' })));

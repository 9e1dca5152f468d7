// A client identifier metadata document on a TLS server of its own: what a client shows instead of registering.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { given } from './story.mjs';

/** Serves the document; gives its URL, which is the client's id, and how often it was fetched. */
export async function clientDocument(metadata) {
  const [certificate, key, port] = ['CIMD_CERT', 'CIMD_KEY', 'CIMD_PORT'].map(given);
  const url = `https://localhost:${port}/client.json`;
  const served = { url, fetched: 0 };
  const document = JSON.stringify({ client_id: url, ...metadata });
  const server = createServer({ cert: readFileSync(certificate), key: readFileSync(key) }, (_, response) => {
    served.fetched += 1;
    response.writeHead(200, { 'Content-Type': 'application/json', 'Cache-Control': 'max-age=60' }).end(document);
  });
  await new Promise((ready, failed) => server.on('error', failed).listen(Number(port), '127.0.0.1', ready));
  server.unref();
  return served;
}

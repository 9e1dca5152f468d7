// Stands before a gateway for a program that cannot be given a token: adds one to every request and passes everything
// else on as it came. Where a request names the forwarder itself, it names the gateway instead.
import http from 'node:http';

/** Listens on a free port; gives the port. */
export async function forward(to, token) {
  const target = new URL(to);
  const server = http.createServer((request, response) => {
    const own = `${request.socket.localPort}`;
    const headers = [];
    for (let at = 0; at < request.rawHeaders.length; at += 2) {
      const [name, value] = request.rawHeaders.slice(at, at + 2);
      const named = /^(host|origin)$/i.test(name) ? value.replace(new RegExp(`:${own}$`), `:${target.port}`) : value;
      if (!/^connection$/i.test(name)) headers.push(name, named);
    }
    headers.push('Authorization', `Bearer ${token}`);
    const options = { host: target.hostname, port: target.port, method: request.method, path: request.url, headers };
    const passed = http.request(options, (reply) => {
      response.writeHead(reply.statusCode, reply.statusMessage, reply.rawHeaders);
      response.flushHeaders();
      reply.on('error', () => response.destroy());
      reply.pipe(response);
    });
    passed.on('error', () => response.destroy());
    response.on('close', () => passed.destroy());
    request.pipe(passed);
  });
  await new Promise((ready) => server.listen(0, '127.0.0.1', ready));
  return server.address().port;
}

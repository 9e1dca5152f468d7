// An authorization server that nobody here wrote: oidc-provider, with clients that get JWT access tokens (RFC 9068) for a
// resource (RFC 8707). Arguments: the port, the resource. Its key set is its own; a line on stdout says that it listens.
import Provider from 'oidc-provider';

const [port, resource] = process.argv.slice(2);
const issuer = `http://127.0.0.1:${port}`;

const provider = new Provider(issuer, {
  clients: [
    {
      client_id: 'buyer',
      client_secret: 'buyer-secret',
      grant_types: ['client_credentials'],
      redirect_uris: [],
      response_types: [],
    },
  ],
  scopes: ['orders:read', 'orders:write'],
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (_, indicator) => ({
        scope: 'orders:read orders:write',
        audience: indicator,
        accessTokenFormat: 'jwt',
        accessTokenTTL: 300,
        jwt: { sign: { alg: 'RS256' } },
      }),
      defaultResource: () => resource,
      useGrantedResource: () => true,
    },
  },
});

provider.listen(Number(port), '127.0.0.1', () => console.log(JSON.stringify({ event: 'ready', issuer })));

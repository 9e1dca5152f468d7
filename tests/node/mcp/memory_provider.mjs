// What a host gives the TypeScript SDKs of both majors: a client that keeps its credentials in memory and sends its
// owner's browser to authorize.
import { randomUUID } from 'node:crypto';

export class MemoryProvider {
  #tokens;
  #client;
  #verifier;
  #state;
  #discovery;
  /** Authorization requests so far. */
  asked = [];
  /** The query of the last callback. */
  callback;
  /** Whether a refresh token is shown to the SDK. */
  refreshes = true;

  constructor(browser, { clientMetadataUrl, name = 'Notes client' } = {}) {
    this.browser = browser;
    this.clientMetadataUrl = clientMetadataUrl;
    this.name = name;
  }

  // Nothing listens there: the browser stops before it.
  get redirectUrl() {
    return 'http://127.0.0.1:49152/callback';
  }

  get clientMetadata() {
    return {
      client_name: this.name,
      redirect_uris: [this.redirectUrl],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
      application_type: 'native',
    };
  }

  state() {
    return (this.#state = randomUUID());
  }

  clientInformation() {
    return this.#client;
  }

  saveClientInformation(client) {
    this.#client = client;
  }

  tokens() {
    if (!this.#tokens || this.refreshes) return this.#tokens;
    const { refresh_token: _, ...rest } = this.#tokens;
    return rest;
  }

  saveTokens(tokens) {
    this.#tokens = tokens;
  }

  saveCodeVerifier(verifier) {
    this.#verifier = verifier;
  }

  codeVerifier() {
    return this.#verifier;
  }

  saveDiscoveryState(state) {
    this.#discovery = state;
  }

  discoveryState() {
    return this.#discovery;
  }

  async redirectToAuthorization(url) {
    this.asked.push(url);
    this.callback = await this.browser.authorize(url);
    if (this.callback.get('state') !== this.#state) throw new Error('the callback has another state');
  }
}

// The browser of an owner, without a window: follows redirects, keeps cookies, and works at forms whatever they look
// like. Where a page asks for a password it signs in; anywhere else it presses the button of the owner's decision. Run
// by itself it does so for the URL in its argument.
import http from 'node:http';

const PAGES_MAX = 20;
const FIELDS_OF_A_NAME = ['user', 'username', 'login', 'email', 'name'];

export class OwnerBrowser {
  /** Cookies by origin: name -> value. */
  #cookies = new Map();
  /** Every page it has seen, for tests that want to know what an owner reads. */
  pages = [];

  constructor({ user, password }) {
    this.user = user;
    this.password = password;
  }

  /** Begins at the authorization URL and ends where the client is called back; gives the query of that. */
  async authorize(url, { decision = 'allow' } = {}) {
    const callback = new URL(new URL(url).searchParams.get('redirect_uri'));
    let request = { method: 'GET', url: new URL(url), site: 'none' };
    for (let count = 0; count < PAGES_MAX; count += 1) {
      const reply = await this.#send(request);
      const location = reply.headers.location;
      if (reply.status >= 300 && reply.status < 400 && location) {
        const next = new URL(location, request.url);
        if (next.origin === callback.origin && next.pathname === callback.pathname) return next.searchParams;
        const site = next.origin === request.url.origin ? request.site : 'cross-site';
        request = { method: [307, 308].includes(reply.status) ? request.method : 'GET', url: next, site };
        continue;
      }
      if (reply.status !== 200) {
        throw new Error(`${request.method} ${request.url} is answered ${reply.status}: ${words(reply.body)}`);
      }
      this.pages.push(reply);
      request = this.#answer(reply, request.url, decision);
    }
    throw new Error(`no end after ${PAGES_MAX} pages`);
  }

  /** The request that a person's click on this page makes. */
  #answer(reply, at, decision) {
    const forms = parseForms(reply.body);
    const form =
      forms.find((form) => form.fields.some((field) => field.type === 'password')) ??
      forms.find((form) => form.buttons.some((button) => button.name === 'decision'));
    if (!form) throw new Error(`nothing to press on ${at}: ${words(reply.body)}`);
    const body = new URLSearchParams();
    for (const field of form.fields) {
      if (field.type === 'password') body.append(field.name, this.password);
      else if (FIELDS_OF_A_NAME.includes(field.name) && field.type !== 'hidden') body.append(field.name, this.user);
      else if (['checkbox', 'radio'].includes(field.type) && !('checked' in field)) continue;
      else if (field.name) body.append(field.name, field.value ?? '');
    }
    const button = form.buttons.find((button) => button.name === 'decision' && button.value === decision) ?? form.buttons[0];
    if (button?.name) body.append(button.name, button.value ?? '');
    const url = new URL(button?.formaction ?? form.action ?? at.href, at);
    const method = (button?.formmethod ?? form.method ?? 'get').toUpperCase();
    if (method === 'GET') url.search = body.toString();
    // As `form-action` of a content security policy would: a form goes nowhere else.
    if (url.origin !== at.origin) throw new Error(`a form of ${at.origin} leads to ${url.origin}`);
    return { method, url, site: 'same-origin', ...(method === 'POST' && { body: body.toString(), origin: at.origin }) };
  }

  #send({ method, url, site, body, origin }) {
    const headers = {
      Accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8',
      'Sec-Fetch-Site': site,
      'Sec-Fetch-Mode': 'navigate',
      'Sec-Fetch-Dest': 'document',
      'Sec-Fetch-User': '?1',
    };
    const jar = this.#cookies.get(url.origin);
    if (jar?.size) headers.Cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ');
    if (body !== undefined) {
      headers['Content-Type'] = 'application/x-www-form-urlencoded';
      headers['Content-Length'] = Buffer.byteLength(body);
      headers.Origin = origin;
      headers.Referer = `${origin}/`;
    }
    return new Promise((resolve, reject) => {
      const request = http.request(url, { method, headers }, (response) => {
        const chunks = [];
        response.on('data', (chunk) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          this.#keep(url.origin, response.headers['set-cookie'] ?? []);
          resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks).toString(), url });
        });
      });
      request.on('error', reject);
      request.end(body);
    });
  }

  #keep(origin, lines) {
    const jar = this.#cookies.get(origin) ?? new Map();
    this.#cookies.set(origin, jar);
    for (const line of lines) {
      const [pair, ...attributes] = line.split(';').map((part) => part.trim());
      const has = (wanted) => attributes.some((attribute) => attribute.toLowerCase().startsWith(wanted));
      const [name, value] = [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)];
      // Browsers refuse both over plain http.
      if (has('secure') || name.startsWith('__Host-') || name.startsWith('__Secure-')) {
        if (origin.startsWith('http:')) continue;
      }
      const age = attributes.find((attribute) => attribute.toLowerCase().startsWith('max-age='));
      const expires = attributes.find((attribute) => attribute.toLowerCase().startsWith('expires='));
      const over = age ? Number(age.split('=')[1]) <= 0 : expires && Date.parse(expires.slice(8)) <= Date.now();
      if (over) jar.delete(name);
      else jar.set(name, value);
    }
  }
}

/** The forms of a page: action, method, fields and what submits them. */
export function parseForms(html) {
  const forms = [];
  let form;
  for (const [, tag, text] of html.matchAll(/<(\/?(?:form|input|button|select|textarea))\b((?:"[^"]*"|'[^']*'|[^>"'])*)>/gi)) {
    const attributes = parseAttributes(text);
    const name = tag.toLowerCase();
    if (name === 'form') forms.push((form = { ...attributes, fields: [], buttons: [] }));
    else if (name === '/form') form = undefined;
    else if (form && name === 'button' && (attributes.type ?? 'submit') === 'submit') form.buttons.push(attributes);
    else if (form && name === 'input' && ['submit', 'image'].includes(attributes.type)) form.buttons.push(attributes);
    else if (form && ['input', 'textarea', 'select'].includes(name)) form.fields.push(attributes);
  }
  return forms;
}

function parseAttributes(text) {
  const found = text.matchAll(/([^\s"'=<>/]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+)))?/g);
  return Object.fromEntries([...found].map(([, name, a, b, c]) => [name.toLowerCase(), plain(a ?? b ?? c ?? '')]));
}

const ENTITIES = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

/** A text without character references. */
export function plain(text) {
  return text.replace(/&(?:#x([0-9a-f]+)|#([0-9]+)|(amp|lt|gt|quot|apos));/gi, (_, hex, decimal, name) =>
    name ? ENTITIES[name.toLowerCase()] : String.fromCodePoint(hex ? Number.parseInt(hex, 16) : Number(decimal)),
  );
}

/** What a person reads on a page. */
export function words(html) {
  return plain(html.replace(/<(style|script)\b[\s\S]*?<\/\1>/gi, ' ').replace(/<[^>]*>/g, ' ')).replace(/\s+/g, ' ').trim();
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  const { LIME_TEST_OWNER_USER: user, LIME_TEST_OWNER_PASSWORD: password } = process.env;
  console.log((await new OwnerBrowser({ user, password }).authorize(process.argv[2])).toString());
}

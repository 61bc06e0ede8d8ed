import * as own from '#bindings/https';
import { caller, decoded, encoded } from './effect.js';

const call = caller('https', own, {
  timeout: () => 'the server took too long',
  'too-large': (most) => `the body has more than ${most} bytes`,
  redirects: (most) => `there are more than ${most} redirects`,
});

class Response {
  constructor({ status = 200, headers = [], body = new Uint8Array(), url = '' }) {
    this.status = status;
    this.headers = headers;
    this.body = typeof body === 'string' ? encoded(body) : body;
    this.url = url;
  }

  header(name) {
    return this.headers.find(([key]) => key === name.toLowerCase())?.[1];
  }

  text() {
    return decoded(this.body);
  }

  json() {
    return JSON.parse(this.text());
  }
}

export default {
  get: (url) => call('get', (bindings) => new Response(bindings.get(url))),

  send({ method = 'GET', url, headers = [], body = '', connectTimeoutMs, timeoutMs, redirects, maxBytes }) {
    const request = {
      method,
      url,
      headers,
      body: typeof body === 'string' ? encoded(body) : body,
      options: { connectTimeoutMs, timeoutMs, redirects, maxBytes },
    };
    return call('send', (bindings) => new Response(bindings.send(request)));
  },

  response: (parts) => new Response(parts),
};

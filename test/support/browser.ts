/** What an application has answered. */
export interface Page<Body> {
  readonly status: number;
  readonly body: Body;
}

/** A browser: it keeps cookies, and sends them with each request. */
export class Browser<Body> {
  readonly #cookies = new Map<string, string>();

  /** Asks for a page; a body that is no JSON object is returned as `text`. */
  fetch(method: string, url: string): Promise<Page<Body>> {
    return this.#ask(url, { method });
  }

  /** The same with a body of JSON. */
  send(method: string, url: string, body: object): Promise<Page<Body>> {
    const headers = { 'content-type': 'application/json' };
    return this.#ask(url, { method, headers, body: JSON.stringify(body) });
  }

  async #ask(url: string, request: RequestInit): Promise<Page<Body>> {
    const cookie = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    // A connection that is kept may reach its idle limit at the server just as a request is sent.
    const headers = { ...request.headers, cookie, connection: 'close' };
    const response = await fetch(url, { ...request, headers }).catch((error: Error) => {
      throw new Error(`${request.method} ${url}: ${error.message}: ${error.cause}`);
    });
    for (const line of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line)!;
      if (value === '') this.#cookies.delete(name!);
      else this.#cookies.set(name!, value!);
    }
    const text = await response.text();
    const body = text.startsWith('{') ? JSON.parse(text) : { text };
    return { status: response.status, body };
  }

  /** The value of a cookie, as it was sent; undefined without it. */
  cookie(name: string): string | undefined {
    return this.#cookies.get(name);
  }

  /** Another browser with the same cookies. */
  copy(): Browser<Body> {
    const other = new Browser<Body>();
    for (const [name, value] of this.#cookies) other.#cookies.set(name, value);
    return other;
  }
}

// The route of whoever answers, as the suffix of the session cookie: "<session id>.<route>".
//
//     app.use(routeSuffix('sid', 'a'));
//     app.use(session({ name: 'sid', ... }));
//
// The store never sees the suffix: it is taken off before express-session reads the cookie, and put on when the cookie goes out.
// A request that was sent here although it names another route is one whose application is gone: its cookie is issued again
// with the own route, so that the user stays where the session is now.
//
// Apache takes what is behind the first dot for the route, and express-session has a dot before its signature: in the cookie
// that one is a "~". Neither is in ids as express-session makes them.

const swapLast = (text, from, to) => {
  const at = text.lastIndexOf(from);
  return at < 0 ? text : text.slice(0, at) + to + text.slice(at + 1);
};

/** The signed id and the route of a cookie; one from before there were routes has none. */
const partsOf = (value) => {
  const [id, route] = value.includes('~') ? value.split('.') : [value];
  return { signed: swapLast(id, '~', '.'), route };
};

export function routeSuffix(name, route) {
  const inRequest = new RegExp(`(?<=(?:^|;\\s*)${name}=)[^;]+`);
  const inResponse = new RegExp(`^${name}=([^;]*)`);
  const suffixed = (signed) => `${swapLast(signed, '.', '~')}.${route}`;

  return (request, response, next) => {
    const [value] = inRequest.exec(request.headers.cookie ?? '') ?? [];
    const given = value === undefined ? null : partsOf(value);
    if (given !== null) {
      request.headers.cookie = request.headers.cookie.replace(inRequest, () => given.signed);
    }
    // express-session, which comes later, wraps this once more: its cookie is there by now.
    const writeHead = response.writeHead;
    response.writeHead = (...args) => {
      const cookies = [response.getHeader('Set-Cookie') ?? []].flat();
      const isSet = cookies.some((cookie) => inResponse.test(cookie));
      const out = cookies.map((cookie) =>
        // An empty one takes the cookie away.
        cookie.replace(inResponse, (whole, id) => (id === '' ? whole : `${name}=${suffixed(id)}`)),
      );
      if (!isSet && given !== null && given.route !== route && request.session !== undefined) {
        const again = suffixed(decodeURIComponent(given.signed));
        out.push(request.session.cookie.serialize(name, again));
      }
      if (out.length > 0) response.setHeader('Set-Cookie', out);
      return writeHead.apply(response, args);
    };
    next();
  };
}

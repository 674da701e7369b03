export interface Asked {
  readonly ok: boolean;
  /** What the node says: an object when it is ok, else why not. */
  readonly body: unknown;
  readonly error: string;
}

/** Asks the node something, as JSON. */
export async function ask(path: string, body: object): Promise<Asked> {
  try {
    const response = await fetch(path, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
    });
    if (response.ok) return { ok: true, body: await response.json(), error: '' };
    return { ok: false, body: null, error: (await response.text()).trim() };
  } catch {
    return { ok: false, body: null, error: 'this node does not answer' };
  }
}

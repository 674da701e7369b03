export interface Asked {
  readonly ok: boolean;
  /** Of HTTP; 0 without an answer. */
  readonly status: number;
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
    const { ok, status } = response;
    if (ok) return { ok, status, body: await response.json(), error: '' };
    return { ok, status, body: null, error: (await response.text()).trim() };
  } catch {
    return { ok: false, status: 0, body: null, error: 'this node does not answer' };
  }
}

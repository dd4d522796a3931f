// The server, by its routes. A request that fails says whether it is worth trying again.

const PATIENCE = 20_000; // milliseconds

export class ServerError extends Error {
  constructor(message, status) {
    super(message);
    this.status = status; // 0: it was not reached
  }

  get mayRetry() { return this.status === 0 || this.status >= 500 || this.isLockedOut; }

  // The server was started again, with another token.
  get isLockedOut() { return this.status === 403 || this.status === 421; }
}

async function ask(path, reviewer, options = {}) {
  let answer;
  try {
    answer = await fetch(path, {
      ...options,
      signal: AbortSignal.timeout(PATIENCE),
      headers: { "X-Reviewer": encodeURIComponent(reviewer), ...options.headers },
    });
    if (answer.ok) return await answer.json();
  } catch {
    throw new ServerError("The server cannot be reached.", 0);
  }
  const told = await answer.json().catch(() => ({}));
  throw new ServerError(told.error ?? `The server answered ${answer.status}.`, answer.status);
}

const query = (queue, more) => new URLSearchParams({ ...queue, ...more }).toString();

export const session = (reviewer) => ask("/api/session", reviewer);
export const next = (reviewer, queue, count) => ask(`/api/next?${query(queue, { count })}`, reviewer);
export const grid = (reviewer, queue, count) => ask(`/api/grid?${query(queue, { count })}`, reviewer);
export const item = (reviewer, id) => ask(`/api/items/${encodeURIComponent(id)}`, reviewer);
export const history = (reviewer) => ask("/api/history?count=1000", reviewer);
export const agreement = (reviewer) => ask("/api/agreement", reviewer);
export const send = (reviewer, events) => ask("/api/answers", reviewer, {
  method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ events }),
});
export const picture = (key, side) => `/image/${key}?side=${side}`;

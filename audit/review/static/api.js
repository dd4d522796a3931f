// The server, by its routes. A request that fails says whether it is worth trying again.

export class ServerError extends Error {
  constructor(message, status) {
    super(message);
    this.status = status; // 0: it was not reached
  }
  get mayRetry() { return this.status === 0 || this.status >= 500; }
}

async function ask(path, reviewer, options = {}) {
  let answer;
  try {
    answer = await fetch(path, {
      ...options,
      headers: { "X-Reviewer": encodeURIComponent(reviewer), ...options.headers },
    });
  } catch {
    throw new ServerError("The server cannot be reached.", 0);
  }
  if (!answer.ok) {
    const told = await answer.json().catch(() => ({}));
    throw new ServerError(told.error ?? `The server answered ${answer.status}.`, answer.status);
  }
  return answer.json();
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

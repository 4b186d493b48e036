/** How long the simulator waits for an answer of Earshot's. */
const ANSWER_MAX_MS = 10_000;

/**
 * Posts a body.
 * @param signal given up when it is aborted
 * @returns the answer's status; null: none came (refused, cut, too late, given up)
 */
export const post = async (
  url: string,
  headers: Readonly<Record<string, string>>,
  body: string,
  signal: AbortSignal,
): Promise<number | null> => {
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body,
      signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MAX_MS)]),
    });
    await response.arrayBuffer();
    return response.status;
  } catch {
    return null;
  }
};

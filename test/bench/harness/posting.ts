/** A load of POSTs at an even pace that waits for nobody: what is late is late from the moment at which it was due. */
import { Agent, request } from 'node:http';

/** One delivery, made before it is due. */
export interface Post {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

const ANSWER_MAX_MS = 20_000;

/** Sends each at its time; calls `due` with its number and when it was due (`performance.now`) just before. Resolves when all were answered 200; rejects when one was not. */
export const postAll = async (port: number, posts: readonly Post[], perSecond: number, due: (place: number, atMs: number) => void): Promise<void> => {
  const agent = new Agent({ keepAlive: true, maxSockets: 256 });
  const began = performance.now() + 20;
  const answers: Promise<void>[] = [];
  try {
    while (answers.length < posts.length) {
      for (let at = began + (answers.length * 1_000) / perSecond; at <= performance.now() && answers.length < posts.length; at = began + (answers.length * 1_000) / perSecond) {
        const post = posts[answers.length];
        if (post === undefined) break;
        due(answers.length, at);
        answers.push(postOne(agent, port, post));
      }
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await Promise.all(answers);
  } finally {
    agent.destroy();
  }
};

const postOne = (agent: Agent, port: number, { path, headers, body }: Post): Promise<void> =>
  new Promise((resolve, reject) => {
    const asked = request({ agent, host: '127.0.0.1', port, path, method: 'POST', headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body), ...headers }, timeout: ANSWER_MAX_MS }, (answer) => {
      answer.resume();
      answer.once('end', () => (answer.statusCode === 200 ? resolve() : reject(new Error(`${path} was answered ${String(answer.statusCode)}`))));
    });
    asked.once('timeout', () => asked.destroy(new Error(`${path} was not answered`)));
    asked.once('error', reject);
    asked.end(body);
  });

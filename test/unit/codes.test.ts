import { describe, expect, it } from 'vitest';
import { CLOSE_CODES, EarshotError, ERRORS, type ErrorCode } from '../../core/protocol/codes.ts';
import { codeOf, problemOf } from '../../core/protocol/problem.ts';
import { expectPage, markdownTable } from '../fixtures/generated-page.ts';

const errors = Object.entries(ERRORS) as [ErrorCode, (typeof ERRORS)[ErrorCode]][];
const closes = Object.entries(CLOSE_CODES).sort(([, a], [, b]) => a.code - b.code);

describe('codes', () => {
  it.each(errors)('%s has a status that agrees with whether to try again, and a sentence', (_code, row) => {
    expect(row.status).toBeGreaterThanOrEqual(400);
    if (row.status === 503) expect(row.retryable).toBe(true);
    if ([400, 401, 403, 404, 405, 410, 413, 415].includes(row.status)) expect(row.retryable).toBe(false);
    expect(row.message).toMatch(/^[A-Z].*\.$/);
  });

  it('of closing stand once each, in the range that says whether to come back', () => {
    const own = closes.map(([, row]) => row.code).filter((code) => code >= 4000);
    expect(new Set(own).size).toBe(own.length);
    expect(own.every((code) => code < 5000)).toBe(true);
  });

  it('make errors with the table\'s sentence and nothing else', () => {
    const error = new EarshotError('call_not_found', { problems: ['id: unknown'] });
    expect([error.message, error.code, error.retryAfterSeconds, error.problems]).toEqual(['There is no such call.', 'call_not_found', null, ['id: unknown']]);
  });

  it('are answered over HTTP as problem documents, which name what is wrong where that is known', () => {
    const problem = { type: '/docs#call_not_found', title: 'Call not found', detail: 'There is no such call.', status: 404, code: 'call_not_found', retryable: false };
    expect(problemOf('call_not_found')).toEqual(problem);
    expect(problemOf('call_not_found', ['id: unknown'])).toEqual({ ...problem, problems: ['id: unknown'] });
    expect(problemOf('too_many_attempts')).toMatchObject({ title: 'Too many attempts', status: 429, retryable: true });
  });

  it('of whatever was thrown are its own, else a fault of ours', () => {
    expect([new EarshotError('draining'), new Error('x'), 'x', null].map(codeOf)).toEqual(['draining', 'server_fault', 'server_fault', 'server_fault']);
  });

  it('print their page', () => {
    const errorTable = markdownTable(
      ['code', 'HTTP status', 'try again', 'meaning'],
      errors.map(([code, row]) => [`\`${code}\``, String(row.status), row.retryable ? 'yes' : '', row.message]),
    );
    const closeTable = markdownTable(
      ['code', 'name', 'come back', 'meaning'],
      closes.map(([name, row]) => [String(row.code), `\`${name}\``, row.code < 4500 && row.code !== 1000 ? 'yes' : 'not as you are', row.message]),
    );
    expectPage(
      'codes.md',
      `# Codes\n\nPrinted from \`core/protocol/codes.ts\`.\n\n## Errors\n\nThe same words in problem documents (\`application/problem+json\`, member \`code\`) and in \`error\` frames.\n\n${errorTable}\n## Close codes of a WebSocket\n\n4000-4499: come back; 4500-4999: do not come back as you are; 1012 when a relay restarts.\n\n${closeTable}`,
    );
  });
});

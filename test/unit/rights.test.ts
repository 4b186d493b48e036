import { describe, expect, it } from 'vitest';
import { confirmToken, mayDo, RIGHTS, ROLES, type Action, type Role } from '../../core/domain/rights.ts';
import { expectPage, markdownTable } from '../fixtures/generated-page.ts';

const actions = Object.keys(RIGHTS) as Action[];

describe('rights', () => {
  it.each(actions.flatMap((action) => ROLES.map((role) => [action, role] as const)))('%s by a %s: only within the own tenant, and only where the table says so', (action, role) => {
    const listed = (RIGHTS[action] as readonly Role[]).includes(role);
    const own = role === 'operator' ? null : 't1';
    expect(mayDo({ tenant: own, roles: [role] }, action, own)).toBe(listed);
    expect(mayDo({ tenant: own, roles: [role] }, action, 't2')).toBe(false);
    expect(mayDo({ tenant: 't1', roles: [role] }, action, null)).toBe(false);
    if (role === 'operator') expect(mayDo({ tenant: 't1', roles: [role] }, action, 't1')).toBe(false);
  });

  it('are of nobody without a role', () => {
    expect(actions.filter((action) => mayDo({ tenant: 't1', roles: [] }, action, 't1') || mayDo({ tenant: null, roles: [] }, action, null))).toEqual([]);
  });

  const token = { tenant: 't1', roles: ['admin'] as readonly Role[], issued_at: 1000 };
  const account = { tenant: 't1', roles: ['dispatcher'] as readonly Role[], disabled: false, tokens_valid_from: 1_000_000 };
  it('of a token are those that the directory gives its user now', () => {
    expect(confirmToken(token, account)).toEqual({ ...token, roles: ['dispatcher'] });
  });
  it.each([
    ['the user is gone', null, 'access_revoked'],
    ['the user is disabled', { ...account, disabled: true }, 'access_revoked'],
    ['the user moved to another tenant', { ...account, tenant: 't2' }, 'access_revoked'],
    ['the user now stands outside all tenants', { ...account, tenant: null }, 'access_revoked'],
    ['all tokens up to then were ended', { ...account, tokens_valid_from: 1_000_001 }, 'sign_in_ended'],
  ] as const)('of a token end when %s', (_name, now, expected) => {
    expect(confirmToken(token, now)).toBe(expected);
  });

  it('prints its page', () => {
    const rows = actions.map((action) => [`\`${action}\``, ...ROLES.map((role) => ((RIGHTS[action] as readonly Role[]).includes(role) ? 'yes' : ''))]);
    expectPage(
      'rights.md',
      `# Rights\n\nWho may do what, within their own tenant; an \`operator\` stands outside all tenants and touches only what belongs to none. Printed from \`core/domain/rights.ts\`, the only place that decides.\n\n${markdownTable(['action', ...ROLES], rows)}`,
    );
  });
});

import fc from 'fast-check';
import { createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { isTimely, matches, parseSignatureHeader } from '../../core/domain/elevenlabs/signature.ts';

const sign = (secret: string, t: string, body: string | Buffer): string => createHmac('sha256', secret).update(`${t}.`).update(body).digest('hex');
const hex = 'a'.repeat(64);

describe('the signature header', () => {
  it.each([
    ['nothing', undefined],
    ['an empty one', ''],
    ['no time', `v0=${hex}`],
    ['no signature', 't=1'],
    ['a time that is not a number', `t=abc,v0=${hex}`],
    ['a negative time', `t=-1,v0=${hex}`],
    ['two times', `t=1,t=2,v0=${hex}`],
    ['upper-case hex', `t=1,v0=${hex.toUpperCase()}`],
    ['too short', `t=1,v0=${hex.slice(1)}`],
    ['too long', `t=1,v0=${hex}a`],
    ['an equals sign too many', `t=1,v0==${hex}`],
    ['a word alone', `t=1,v0=${hex},x`],
    ['more candidates than anybody sends', `t=1,${Array.from({ length: 9 }, () => `v0=${hex}`).join(',')}`],
    ['a very long one', `t=1,v0=${hex},${'x=1,'.repeat(1000)}`],
    ['one character more than it may have', `t=1,v0=${hex},${'x'.repeat(2048 - 73)}=1`],
    ['something after the time', `t=1;2,v0=${hex}`],
    ['an equals sign too many where it is not looked at', `t=1,v0=${hex},x=1=2`],
    ['a time too long to be one', `t=${'1'.repeat(13)},v0=${hex}`],
  ])('is refused with %s', (_name, header) => {
    expect(parseSignatureHeader(header)).toBeNull();
  });

  it('is read with spaces, several candidates and unknown members', () => {
    expect(parseSignatureHeader(`t=12, v0=${hex},v1=zz,v0=${'b'.repeat(64)}`)).toEqual({ timestamp: '12', candidates: [hex, 'b'.repeat(64)] });
  });

  it('is read up to its bounds', () => {
    const eight = Array.from({ length: 8 }, () => `v0=${hex}`).join(',');
    expect(parseSignatureHeader(`t=${'1'.repeat(12)},${eight}`)?.candidates).toHaveLength(8);
    const longest = `t=1,v0=${hex},${'x'.repeat(2048 - 74)}=1`;
    expect([longest.length, parseSignatureHeader(longest)?.timestamp]).toEqual([2048, '1']);
  });

  it('is timely 90 minutes back and 5 minutes ahead, and not a second more', () => {
    const now = 1_700_000_000_000;
    const at = (seconds: number): boolean => isTimely(String(now / 1000 + seconds), now);
    expect([at(-5400), at(-5401), at(300), at(301)]).toEqual([true, false, true, false]);
  });

  it('matches what one of the secrets makes of exactly these bytes, and nothing else', () => {
    fc.assert(
      fc.property(fc.string(), fc.uint8Array(), fc.nat(), fc.nat({ max: 63 }), (secret, bytes, time, place) => {
        const body = Buffer.from(bytes);
        const t = String(time % 1_000_000_000);
        const good = sign(secret, t, body);
        const header = { timestamp: t, candidates: [good] };
        expect(matches(header, ['0'.repeat(64), good])).toBe(true);
        const flipped = good.slice(0, place) + (good[place] === '0' ? '1' : '0') + good.slice(place + 1);
        expect(matches({ timestamp: t, candidates: [flipped] }, [good])).toBe(false);
        expect(matches(header, [sign(secret, t, Buffer.concat([body, Buffer.from(' ')]))])).toBe(false);
        expect(matches(header, [sign(`${secret}x`, t, body)])).toBe(false);
        expect(matches(header, [])).toBe(false);
        expect(matches(header, [good.slice(0, 10)])).toBe(false);
      }),
    );
  });
});

import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

const FOLDER = new URL('../../client/dashboard/', import.meta.url).pathname;
const sources = readdirSync(FOLDER).map((name) => [name, readFileSync(`${FOLDER}${name}`, 'utf8')] as const);

it.each([
  ['markup out of text', /innerHTML|outerHTML|dangerouslySetInnerHTML|insertAdjacentHTML|createContextualFragment|DOMParser|document\.write/],
  ['code out of text', /\beval\(|new Function\(|javascript:/],
  ['what the policy of the page refuses: styles and handlers written as text', /\sstyle="|\son[a-z]+="|<style|setAttribute\(\s*'(?:style|on)/],
  ['anything from elsewhere', /(?:src|href)="https?:|@import\s+(?:url\()?['"]?https?:|url\(['"]?https?:/],
])('the dashboard never makes %s', (_what, pattern) => {
  expect(sources.length).toBeGreaterThan(20);
  expect(sources.filter(([, text]) => pattern.test(text)).map(([name]) => name)).toEqual([]);
});

it('every pair of ink and ground in both themes can be read: 4.5 to 1 at least, 3 to 1 for edges of what is used', () => {
  const css = readFileSync(`${FOLDER}tokens.css`, 'utf8');
  const themes = [...css.matchAll(/\{([^{}]*--ground:[^{}]*)\}/g)].map(([, body = '']) => new Map([...body.matchAll(/--([a-z-]+):\s*(#[0-9a-f]{3,6})/g)].map(([, name = '', value = '']) => [name, value])));
  expect(themes).toHaveLength(3);
  // The dark set stands twice, and is one.
  expect(themes[1]).toEqual(themes[2]);
  const faint: string[] = [];
  for (const theme of themes) {
    const check = (ink: string, ground: string, least: number): void => {
      const ratio = contrast(theme.get(ink) ?? '', theme.get(ground) ?? '');
      if (!(ratio >= least)) faint.push(`${ink} on ${ground}: ${ratio.toFixed(2)}`);
    };
    for (const ground of ['ground', 'paper', 'sunk', 'hover', 'chosen']) for (const ink of ['ink', 'quiet', 'accent', 'good', 'warn', 'bad', 'info', 'agent', 'driver']) check(ink, ground, 4.5);
    for (const mood of ['good', 'warn', 'bad', 'info']) for (const ink of ['ink', mood]) check(ink, `${mood}-ground`, 4.5);
    check('on-accent', 'accent', 4.5);
    for (const ground of ['ground', 'paper']) check('edge', ground, 3);
  }
  expect(faint).toEqual([]);
});

/** As WCAG 2 counts it. @param colour `#rgb` or `#rrggbb` */
const luminance = (colour: string): number => {
  const hex = colour.length === 4 ? colour.slice(1).replace(/./g, '$&$&') : colour.slice(1);
  const [red = 0, green = 0, blue = 0] = [0, 2, 4].map((at) => {
    const share = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
};

const contrast = (one: string, other: string): number => {
  const [dark = 0, light = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
};

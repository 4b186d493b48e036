/**
 * `node test/bench/flame.ts <profile.cpuprofile> <out.svg> <title>`: draws a CPU profile as a flame graph: a bar for each function, as wide as
 * its share of the time, below it what it called. For profiles that BENCH_PROFILES left.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';

interface ProfileNode {
  readonly id: number;
  readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  readonly children?: readonly number[];
}

interface Profile {
  readonly nodes: readonly ProfileNode[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

/** A function below its callers. */
interface Bar {
  readonly name: string;
  /** With all that it called, microseconds. */
  us: number;
  readonly callees: Map<string, Bar>;
}

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const WIDTH = 1_200;
const ROW = 17;
/** A narrower bar shows nothing. */
const MIN_WIDTH = 1.5;
const CHARACTER = 6.4;
/** Nothing was running, or the profiler itself. */
const PASSED_OVER = new Set(['(root)', '(idle)', '(program)']);

const [from = '', to = '', title = ''] = process.argv.slice(2);
if (title === '') throw new Error('node test/bench/flame.ts <profile.cpuprofile> <out.svg> <title>');

/** Where a function stands: a file of ours by its path, a package by its name, else Node's own module. */
const placeOf = (url: string): string => {
  const path = url.startsWith('file://') ? relative(ROOT, fileURLToPath(url)) : url;
  const parts = path.split('node_modules/').at(-1) ?? path;
  const [first = '', second = ''] = parts.split('/');
  return path.includes('node_modules/') ? (first.startsWith('@') ? `${first}/${second}` : first) : parts;
};

const nameOf = ({ functionName, url }: ProfileNode['callFrame']): string => {
  const place = placeOf(url);
  return `${functionName === '' ? '(anonymous)' : functionName}${place === '' ? '' : ` - ${place}`}`;
};

/** Samples of the same stack together, whatever positions V8 knew them by. */
const foldedOf = ({ nodes, samples, timeDeltas }: Profile): Bar => {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const callerOf = new Map(nodes.flatMap(({ id, children = [] }) => children.map((child): [number, number] => [child, id])));
  const stackOf = (id: number): string[] => {
    const stack: string[] = [];
    for (let at: number | undefined = id; at !== undefined; at = callerOf.get(at)) {
      const frame = byId.get(at)?.callFrame;
      if (frame !== undefined && !PASSED_OVER.has(frame.functionName)) stack.unshift(nameOf(frame));
    }
    return stack;
  };
  const all: Bar = { name: 'all', us: 0, callees: new Map() };
  samples.forEach((id, place) => {
    const stack = stackOf(id);
    if (stack.length === 0) return;
    const us = Math.max(0, timeDeltas[place] ?? 0);
    all.us += us;
    let bar = all;
    for (const name of stack) {
      const callee = bar.callees.get(name) ?? { name, us: 0, callees: new Map<string, Bar>() };
      bar.callees.set(name, callee);
      callee.us += us;
      bar = callee;
    }
  });
  return all;
};

const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

/** Ours, packages and Node's own in three hues, so that one sees at once whose time it is. */
const colourOf = (name: string): string => {
  const place = name.split(' - ').at(-1) ?? '';
  if (place.startsWith('node:') || !name.includes(' - ')) return '#c9d3dc';
  return place.includes('.ts') || place.endsWith('.js') ? '#f2a65a' : '#8fbf9f';
};

const svgOf = (all: Bar): string => {
  const bars: string[] = [];
  let deepest = 0;
  const draw = (bar: Bar, left: number, depth: number): void => {
    const width = (bar.us / all.us) * WIDTH;
    if (width < MIN_WIDTH) return;
    deepest = Math.max(deepest, depth);
    const letters = Math.floor((width - 4) / CHARACTER);
    const label = letters < 4 ? '' : bar.name.length <= letters ? bar.name : `${bar.name.slice(0, letters - 1)}…`;
    const share = ((bar.us / all.us) * 100).toFixed(1);
    bars.push(
      `<g><title>${escaped(bar.name)}: ${share} %</title><rect x="${left.toFixed(1)}" y="${24 + depth * ROW}" width="${Math.max(0.5, width - 0.5).toFixed(1)}" height="${ROW - 1}" fill="${colourOf(bar.name)}"/>${label === '' ? '' : `<text x="${(left + 2).toFixed(1)}" y="${36 + depth * ROW}">${escaped(label)}</text>`}</g>`,
    );
    let at = left;
    for (const callee of [...bar.callees.values()].sort((a, b) => b.us - a.us)) {
      draw(callee, at, depth + 1);
      at += (callee.us / all.us) * WIDTH;
    }
  };
  draw(all, 0, 0);
  const height = 24 + (deepest + 1) * ROW + 4;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="ui-monospace, monospace" font-size="10.5"><rect width="100%" height="100%" fill="#fff"/><text x="2" y="15" font-size="12">${escaped(title)}</text>${bars.join('')}</svg>\n`;
};

writeFileSync(to, svgOf(foldedOf(JSON.parse(readFileSync(from, 'utf8')) as Profile)));

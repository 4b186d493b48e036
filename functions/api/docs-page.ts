/** The page at `/docs`: renders `/openapi.json`, works without any other origin, and writes text only as text. */

export const DOCS_PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Earshot API</title>
<link rel="stylesheet" href="/docs/page.css">
<script type="module" src="/docs/page.js"></script>
</head>
<body>
<header><h1>Earshot API</h1><p id="about">Reading <a href="/openapi.json">/openapi.json</a> ...</p>
<p>Events on the WebSocket: <a href="/asyncapi.json">/asyncapi.json</a>. Where everything is: <a href="/discovery">/discovery</a>.</p></header>
<nav id="contents" aria-label="Routes"></nav>
<main id="routes"></main>
<noscript>This page needs JavaScript; <a href="/openapi.json">/openapi.json</a> says the same.</noscript>
</body>
</html>
`;

export const DOCS_STYLE = `:root { color-scheme: light dark; --line: #8885; --quiet: #777; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 60rem; padding: 1rem; }
h2 { border-bottom: 1px solid var(--line); margin-top: 2.5rem; text-transform: capitalize; }
details { border: 1px solid var(--line); border-radius: .4rem; margin: .5rem 0; padding: .4rem .8rem; }
summary { cursor: pointer; }
code, pre { font: 14px/1.4 ui-monospace, monospace; }
pre { overflow-x: auto; background: #8881; padding: .6rem; border-radius: .3rem; }
.method { display: inline-block; min-width: 4.5rem; font-weight: 700; }
.quiet { color: var(--quiet); }
table { border-collapse: collapse; width: 100%; }
th, td { border-bottom: 1px solid var(--line); padding: .2rem .5rem; text-align: left; vertical-align: top; }
nav a { display: inline-block; margin-right: 1rem; text-transform: capitalize; }
:target { outline: 2px solid currentcolor; }
`;

export const DOCS_SCRIPT = `const element = (name, attributes = {}, ...children) => {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
};

const answer = await fetch('/openapi.json');
const api = await answer.json();
const named = (reference) => reference.split('/').pop();
const resolve = (schema) => (schema && schema.$ref ? api.components.schemas[named(schema.$ref)] : schema);

/** A schema as an example-like outline: what stands where, in which form. */
const outline = (schema, depth = 0) => {
  if (!schema) return 'anything';
  if (schema.$ref && depth > 2) return named(schema.$ref);
  const whole = resolve(schema);
  if (depth > 5) return whole.type ?? 'anything';
  if (whole.enum) return whole.enum.map(String).join(' | ');
  if (whole.const !== undefined) return String(whole.const);
  const choices = whole.oneOf ?? whole.anyOf;
  if (choices) {
    const shown = choices.map((choice) => outline(choice, depth + 1));
    return shown.every((each) => typeof each === 'string') ? shown.join(' | ') : { 'one of': shown };
  }
  if (whole.allOf) return Object.assign({}, ...whole.allOf.map((part) => outline(part, depth)));
  if (whole.type === 'array') return [outline(whole.items, depth + 1)];
  if (whole.properties) {
    const needed = new Set(whole.required ?? []);
    return Object.fromEntries(Object.entries(whole.properties).map(([name, value]) => [needed.has(name) ? name : name + '?', outline(value, depth + 1)]));
  }
  const type = [whole.type ?? 'anything'].flat().join(' | ');
  return whole.description ? type + ' - ' + whole.description : type;
};
const block = (schema) => element('pre', {}, JSON.stringify(outline(schema), null, 2));
const table = (head, rows) =>
  element('table', {}, element('thead', {}, element('tr', {}, ...head.map((cell) => element('th', {}, cell)))), element('tbody', {}, ...rows));

const parameterRow = (one) =>
  element('tr', {}, element('td', {}, element('code', {}, one.name), one.required ? ' *' : ''), element('td', {}, one.in), element('td', {}, String(outline({ description: one.description, ...resolve(one.schema) }))));
const parameters = (list) => (list.length === 0 ? null : table(['name', 'in', 'form'], list.map(parameterRow)));

const contents = (title, content) =>
  Object.entries(content ?? {}).map(([type, { schema }]) => element('div', {}, element('p', {}, title + ' ', element('code', {}, type)), schema ? block(schema) : null));

const route = (path, method, operation) =>
  element(
    'details',
    { id: method + path },
    element('summary', {}, element('span', { class: 'method' }, method.toUpperCase()), element('code', {}, path), ' ', element('span', { class: 'quiet' }, operation.summary ?? '')),
    operation.security ? element('p', { class: 'quiet' }, 'Takes a bearer token.') : null,
    parameters(operation.parameters ?? []),
    ...contents('Body', operation.requestBody?.content),
    ...Object.entries(operation.responses).flatMap(([status, response]) =>
      status === 'default' ? [] : response.content ? contents(status + ' - ' + response.description, response.content) : [element('p', {}, status + ' - ' + response.description)],
    ),
  );

const routes = Object.entries(api.paths).flatMap(([path, methods]) => Object.entries(methods).map(([method, operation]) => ({ path, method, operation, tag: operation.tags?.[0] ?? 'other' })));
const main = document.getElementById('routes');
const contentsBar = document.getElementById('contents');
for (const { name } of api.tags) {
  main.append(element('h2', { id: name }, name), ...routes.filter((one) => one.tag === name).map((one) => route(one.path, one.method, one.operation)));
  contentsBar.append(element('a', { href: '#' + name }, name));
}
const codeRow = ([code, row]) =>
  element('tr', { id: code }, element('td', {}, element('code', {}, code)), element('td', {}, String(row.status)), element('td', {}, row.retryable ? 'yes' : ''), element('td', {}, row.message));
main.append(
  element('h2', { id: 'errors' }, 'errors'),
  element('p', {}, 'Every failure is a problem document with one of these codes.'),
  table(['code', 'status', 'try again', 'meaning'], Object.entries(api['x-error-codes']).map(codeRow)),
);
contentsBar.append(element('a', { href: '#errors' }, 'errors'));
document.getElementById('about').textContent = api.info.description + ' Version ' + api.info.version + '.';
document.getElementById(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView();
`;

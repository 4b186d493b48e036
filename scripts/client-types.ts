/**
 * The types of the published client library, one flat file for each of its modules. Whatever the library's own declarations lead to is
 * written out, and what a schema stands behind is written as the plain type that it comes to: whoever uses the library needs no zod.
 */
import { join } from 'node:path';
import ts from 'typescript';

const ROOT = new URL('../', import.meta.url).pathname;
/** Where declarations are thought to be while they are read: nothing is written there. */
const THOUGHT = join(ROOT, 'node_modules', '.cache', 'client-types');
/** Declared with zod. */
const SCHEMAS = join(THOUGHT, 'core', 'protocol');

const OPTIONS: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2023,
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  lib: ['lib.es2023.d.ts', 'lib.dom.d.ts', 'lib.dom.iterable.d.ts'],
  types: [],
  strict: true,
  exactOptionalPropertyTypes: true,
  skipLibCheck: true,
};

const WRITTEN_OUT: ts.NodeBuilderFlags = ts.NodeBuilderFlags.NoTruncation | ts.NodeBuilderFlags.InTypeAlias | ts.NodeBuilderFlags.MultilineObjectLiterals | ts.NodeBuilderFlags.UseSingleQuotesForStringLiteralType;
const PRINTER = ts.createPrinter();

/**
 * @param modules of `client/`, without ending; a module may use what an earlier one declares
 * @returns the text of `<module>.d.ts` for each
 */
export const clientTypes = (modules: readonly string[]): ReadonlyMap<string, string> => {
  const declared = declarationsOf(modules.map((name) => join(ROOT, 'client', `${name}.ts`)));
  const host = ts.createCompilerHost(OPTIONS);
  const { fileExists, readFile, directoryExists } = host;
  host.directoryExists = (path): boolean => path.startsWith(THOUGHT) || directoryExists?.(path) === true;
  host.fileExists = (path): boolean => declared.has(path) || fileExists(path);
  host.readFile = (path): string | undefined => declared.get(path) ?? readFile(path);
  host.getSourceFile = (path, target): ts.SourceFile | undefined => {
    const text = host.readFile(path);
    return text === undefined ? undefined : ts.createSourceFile(path, text, target, true);
  };
  const program = ts.createProgram({ rootNames: [...declared.keys()], options: OPTIONS, host });
  const checker = program.getTypeChecker();
  const homes = new Map<ts.Symbol, string>();
  return new Map(modules.map((name) => [name, moduleText(name, program, checker, homes)]));
};

/** Declarations of these files and of whatever they import, by their thought paths. */
const declarationsOf = (files: readonly string[]): Map<string, string> => {
  const options: ts.CompilerOptions = { ...OPTIONS, allowImportingTsExtensions: true, rewriteRelativeImportExtensions: true, declaration: true, emitDeclarationOnly: true, rootDir: ROOT, outDir: THOUGHT };
  const declared = new Map<string, string>();
  const { diagnostics } = ts.createProgram(files, options).emit(undefined, (path, text) => declared.set(path, text.replaceAll(/(from ['"]\.[^'"]*)\.ts(['"])/g, '$1.js$2')));
  if (diagnostics.length > 0) throw new Error(ts.formatDiagnostics(diagnostics, { getCanonicalFileName: (name) => name, getCurrentDirectory: () => ROOT, getNewLine: () => '\n' }));
  return declared;
};

const moduleText = (name: string, program: ts.Program, checker: ts.TypeChecker, homes: Map<ts.Symbol, string>): string => {
  const file = program.getSourceFile(join(THOUGHT, 'client', `${name}.d.ts`));
  const module = file === undefined ? undefined : checker.getSymbolAtLocation(file);
  if (module === undefined) throw new Error(`client/${name}.ts has no declarations`);
  const texts: string[] = [];
  const imported = new Map<string, Set<string>>();
  const waiting = checker.getExportsOfModule(module).map((symbol) => originOf(checker, symbol));
  const exported = new Set(waiting);
  const again: string[] = [];
  for (let symbol = waiting.shift(); symbol !== undefined; symbol = waiting.shift()) {
    const home = homes.get(symbol);
    if (home === name) continue;
    if (home !== undefined) {
      imported.set(home, (imported.get(home) ?? new Set()).add(symbol.name));
      if (exported.has(symbol)) again.push(symbol.name);
      continue;
    }
    homes.set(symbol, name);
    const { text, uses } = declarationText(checker, symbol);
    texts.push(text);
    waiting.push(...uses);
  }
  const imports = [...imported].map(([home, names]) => `import type { ${[...names].sort().join(', ')} } from './${home}.js';\n`);
  const exports = [...new Set(again)].length === 0 ? '' : `\nexport type { ${[...new Set(again)].sort().join(', ')} };\n`;
  return `${[...imports, ...(imports.length === 0 ? [] : ['\n'])].join('')}${texts.join('\n')}${exports}`;
};

const originOf = (checker: ts.TypeChecker, symbol: ts.Symbol): ts.Symbol => (symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol);

/** A declaration as it stands, or written out, and the project's own names that it uses. */
const declarationText = (checker: ts.TypeChecker, symbol: ts.Symbol): { readonly text: string; readonly uses: readonly ts.Symbol[] } => {
  const declaration = symbol.declarations?.find((one) => !ts.isVariableDeclaration(one) || !one.getSourceFile().fileName.startsWith(SCHEMAS));
  if (declaration === undefined) throw new Error(`${symbol.name} has no declaration`);
  if (declaration.getSourceFile().fileName.startsWith(SCHEMAS)) {
    const node = checker.typeToTypeNode(checker.getDeclaredTypeOfSymbol(symbol), undefined, WRITTEN_OUT);
    if (node === undefined) throw new Error(`${symbol.name} cannot be written out`);
    return { text: `export type ${symbol.name} = ${PRINTER.printNode(ts.EmitHint.Unspecified, node, declaration.getSourceFile())};\n`, uses: [] };
  }
  const statement = ts.isVariableDeclaration(declaration) ? declaration.parent.parent : declaration;
  const uses: ts.Symbol[] = [];
  const look = (node: ts.Node): void => {
    const used = ts.isIdentifier(node) ? checker.getSymbolAtLocation(node) : undefined;
    const origin = used === undefined ? undefined : originOf(checker, used);
    if (origin !== undefined && origin !== symbol && origin.declarations?.some(isTopLevel) === true) uses.push(origin);
    node.forEachChild(look);
  };
  look(statement);
  const isType = ts.isInterfaceDeclaration(statement) || ts.isTypeAliasDeclaration(statement);
  const bare = statement.getText().replace(/^export /, '').replace(/^declare /, '');
  const docs = ts.getJSDocCommentsAndTags(statement).filter(ts.isJSDoc).map((doc) => `${doc.getText()}\n`);
  return { text: `${docs.join('')}export ${isType ? '' : 'declare '}${bare}\n`, uses };
};

/** Declared by the project itself, by a name that can be exported. */
const isTopLevel = (declaration: ts.Declaration): boolean => {
  const holder = ts.isVariableDeclaration(declaration) ? declaration.parent.parent.parent : declaration.parent;
  return ts.isSourceFile(holder) && holder.fileName.startsWith(THOUGHT);
};

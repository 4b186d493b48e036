/**
 * What mutation testing leaves alone inside the files it changes: sentences for people. They are printed into documents and answers,
 * no code goes by them, and a test of their wording would be a second copy of it.
 */

/** The part of a place in the syntax tree that is looked at. */
interface Place {
  readonly node: { readonly type: string };
  readonly key: string | number | null;
  readonly listKey?: string;
  readonly parent: { readonly type: string; readonly callee?: { readonly property?: { readonly name?: string } }; readonly key?: { readonly name?: string } } | null;
}

/** Members that hold a sentence: of a setting, and of a check that zod reports. */
const SENTENCE_MEMBERS = new Set(['words', 'meaning', 'message']);

const sentences = {
  /** Why the place is left alone; undefined: it is changed. */
  shouldIgnore: ({ node, key, listKey, parent }: Place): string | undefined => {
    if (node.type !== 'StringLiteral' && node.type !== 'TemplateLiteral') return undefined;
    if (parent?.type === 'ObjectProperty' && key === 'value' && SENTENCE_MEMBERS.has(parent.key?.name ?? '')) return 'a sentence for people';
    if (parent?.type !== 'CallExpression' || listKey !== 'arguments') return undefined;
    const called = parent.callee?.property?.name;
    return called === 'describe' || (called === 'refine' && key === 1) ? 'a sentence for people' : undefined;
  },
};

/** What Stryker looks for in a plugin. */
export const strykerPlugins = [{ kind: 'Ignore', name: 'sentences', value: sentences }];

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { csvRow } from '../../core/domain/csv.ts';

/** A reader of RFC 4180, written from its grammar. */
const readCsv = (text: string): string[][] => {
  const records: string[][] = [];
  let record: string[] = [];
  for (let at = 0; at < text.length; ) {
    let value = '';
    if (text[at] === '"') {
      for (at++; text[at] !== '"' || text[at + 1] === '"'; at++) {
        if (text[at] === '"') at++;
        value += text[at] ?? '';
      }
      at++;
    } else while (text[at] !== ',' && text[at] !== '\r') value += text[at++] ?? '';
    record.push(value);
    if (text[at] === '\r') {
      records.push(record);
      record = [];
      at++;
    }
    at++;
  }
  return records;
};

describe('a CSV record', () => {
  it.each([
    [['a', 1, true, null], 'a,1,true,\r\n'],
    [['a,b', 'say "hi"', 'two\nlines'], '"a,b","say ""hi""","two\nlines"\r\n'],
    [['=1+1', '+15550100', '-5', '@x', '\tx', '\rx'], `'=1+1,'+15550100,'-5,'@x,'\tx,"'\rx"\r\n`],
    [[-5, 0.25], '-5,0.25\r\n'],
    [['=HYPERLINK("http://example.com","x")'], `"'=HYPERLINK(""http://example.com"",""x"")"\r\n`],
  ] as const)('of %j is %j', (cells, expected) => {
    expect(csvRow(cells)).toBe(expected);
  });

  it('reads back as it was written, whatever the text, apart from the guard', () => {
    fc.assert(
      fc.property(fc.array(fc.array(fc.string({ unit: fc.constantFrom('a', ',', '"', '\r', '\n', '=', '+', '-', '@', ' ', 'ü') }), { minLength: 2, maxLength: 4 }), { maxLength: 4 }), (rows) => {
        const guarded = rows.map((row) => row.map((text) => (/^[=+\-@\t\r]/.test(text) ? `'${text}` : text)));
        expect(readCsv(rows.map(csvRow).join(''))).toEqual(guarded);
      }),
    );
  });
});

import { describe, expect, it } from 'vitest';
import { frameText, textFrame } from '../../ws-relay/frames.ts';

describe('the frame of a text', () => {
  const sizes = [0, 1, 125, 126, 400, 2_043, 2_044, 2_045, 8_192, 65_535, 65_536];

  it.each(sizes)('of %i bytes is one final, unmasked text frame, in ASCII and beyond', (size) => {
    for (const text of ['x'.repeat(size), `${'x'.repeat(size % 2)}${'é'.repeat(Math.floor(size / 2))}`]) {
      const frame = textFrame(text);
      const head = size < 126 ? [0x81, size] : size < 65_536 ? [0x81, 126, size >> 8, size & 255] : [0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0];
      expect([...frame.subarray(0, head.length)]).toEqual(head);
      expect(frame).toHaveLength(head.length + size);
      expect(frameText(frame)).toBe(text);
    }
  });

  it('stays what it was, whatever is made after it', () => {
    const texts = Array.from({ length: 1_000 }, (_, place) => String.fromCharCode(97 + (place % 26)).repeat((place * 37) % 3_000));
    const frames = texts.map(textFrame);
    expect(frames.map(frameText)).toEqual(texts);
  });

  it('holds little more memory than its own: at most 8 KiB where it is small, nothing but itself where it is not', () => {
    for (let place = 0; place < 100; place++) expect(textFrame('x'.repeat(400)).buffer.byteLength).toBe(8_192);
    const large = textFrame('x'.repeat(3_000));
    expect(large.buffer.byteLength).toBe(large.length);
  });
});

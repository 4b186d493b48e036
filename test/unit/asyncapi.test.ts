import { Parser } from '@asyncapi/parser';
import { describe, expect, it } from 'vitest';
import { asyncApiDocument, CLIENT_MESSAGES, RELAY_MESSAGES } from '../../core/protocol/asyncapi.ts';
import { ControlFrame, EventFrame } from '../../core/protocol/frames.ts';
import { ClientMessage } from '../../core/protocol/messages.ts';

describe('the AsyncAPI document', () => {
  it('is valid', async () => {
    const { document, diagnostics } = await new Parser().parse(JSON.stringify(asyncApiDocument({ version: '1.2.3' })));
    const ERROR: number = 0;
    expect(diagnostics.filter(({ severity }) => (severity as number) === ERROR)).toEqual([]);
    expect(document?.info().version()).toBe('1.2.3');
    expect(document?.channels().all()[0]?.address()).toBe('/ws/calls/transcriptions');
  });

  it('holds every frame and every message that there is', () => {
    const frames = new Set(Object.values(RELAY_MESSAGES).map(({ schema }) => schema));
    for (const option of [...EventFrame.options, ...ControlFrame.options]) expect(frames.has(option)).toBe(true);
    expect(new Set(Object.values(CLIENT_MESSAGES).map(({ schema }) => schema))).toEqual(new Set(ClientMessage.options));
  });

  it('refuses nothing that a client may send', async () => {
    const { components } = asyncApiDocument({ version: '1' }) as { components: { messages: Record<string, { payload: { required?: string[] } }> } };
    expect(components.messages['Subscribe']?.payload.required).toEqual(['subscribe']);
  });
});

import { Timestamp } from '@google-cloud/firestore';
import { describe, expect, it } from 'vitest';
import { knownCalls, type KnownCall } from '../../ports/call-log.firestore-known-calls.ts';
import { blankCall } from '../fixtures/facts.ts';

const at = (version: number): Timestamp => new Timestamp(version, 0);
const left = (call_sid: string, version: number): KnownCall => ({ call: blankCall({ call_sid }), version: at(version) });

describe('calls as this process left them', () => {
  it('are those of its own commits, in the version that these gave them', () => {
    const known = knownCalls();
    expect(known.get('a')).toBeNull();
    known.found('a', at(1));
    known.doubt('a');
    expect(known.get('a')).toBeNull();
    known.left(left('a', 1), 10);
    known.left(left('a', 2), 10);
    expect(known.get('a')).toMatchObject(left('a', 2));
    expect(known.get('b')).toBeNull();
  });

  it('are not tried again after one was in vain until two reads in a row found what was left', () => {
    const known = knownCalls();
    known.left(left('a', 1), 10);
    known.doubt('a');
    expect(known.get('a')).toBeNull();
    known.found('a', at(2));
    known.left(left('a', 3), 10);
    expect(known.get('a')).toBeNull();
    known.found('a', at(3));
    known.left(left('a', 4), 10);
    expect(known.get('a')).toBeNull();
    known.found('a', at(4));
    known.left(left('a', 5), 10);
    expect(known.get('a')?.version).toEqual(at(5));
  });

  it('are doubted as soon as a read finds another version, and from the beginning where one of the two reads does', () => {
    const known = knownCalls();
    known.left(left('a', 1), 10);
    known.found('a', at(2));
    expect(known.get('a')).toBeNull();
    known.left(left('a', 3), 10);
    known.found('a', at(3));
    known.found('a', at(9));
    known.left(left('a', 10), 10);
    known.found('a', at(10));
    expect(known.get('a')).toBeNull();
    known.found('a', at(10));
    expect(known.get('a')?.version).toEqual(at(10));
  });

  it('are forgotten when they are too many, those first that were not written to for longest', () => {
    const known = knownCalls(2);
    known.left(left('a', 1), 10);
    known.left(left('b', 2), 10);
    known.left(left('a', 3), 10);
    known.left(left('c', 4), 10);
    expect(['a', 'b', 'c'].map((sid) => known.get(sid)?.version.seconds)).toEqual([3, undefined, 4]);
  });

  it('are forgotten when they are too large, also the only one', () => {
    const known = knownCalls(100, 100);
    known.left(left('a', 1), 40);
    known.left(left('b', 2), 40);
    known.left(left('b', 3), 70);
    expect(['a', 'b'].map((sid) => known.get(sid)?.version.seconds)).toEqual([undefined, 3]);
    known.left(left('c', 4), 101);
    expect(['b', 'c'].map((sid) => known.get(sid))).toEqual([null, null]);
    known.left(left('d', 5), 100);
    expect(known.get('d')?.version).toEqual(at(5));
  });

  it('are none where none may be kept', () => {
    const known = knownCalls(0);
    known.left(left('a', 1), 10);
    expect(known.get('a')).toBeNull();
  });
});

import { describe, expect, it } from 'vitest';
import { isTimeOfDay, isTimeZone, isWithinCallingHours } from '../../core/domain/calling-hours.ts';
import { hasAllowedPrefix, isPhoneNumber } from '../../core/domain/phone-number.ts';

describe('a phone number', () => {
  it.each(['+15550100', '+15551234567', '+493012345678', '+123456789012345'])('may be %s', (number) => {
    expect(isPhoneNumber(number)).toBe(true);
  });
  it.each([
    '', '+', '15551234567', '+1555012', '+1234567890123456', '+05551234567', '+1 555 123 4567', '+1-555-123-4567', '+15551234567\n', '+15551234567\r\nX-Evil: 1', '\n+15551234567',
    'sip:+15551234567@example.com', 'tel:+15551234567', '+1555123456a', '+１５５５１２３４５６７', '++15551234567', '+15551234567;ext=1', `+${'1'.repeat(100_000)}`,
  ])('may not be %j', (number) => {
    expect(isPhoneNumber(number)).toBe(false);
  });
  it('is held against prefixes as text', () => {
    expect(hasAllowedPrefix('+15551234567', ['+1'])).toBe(true);
    expect(hasAllowedPrefix('+493012345678', ['+1', '+4930'])).toBe(true);
    expect(hasAllowedPrefix('+493112345678', ['+1', '+4930'])).toBe(false);
    expect(hasAllowedPrefix('+15551234567', [])).toBe(false);
  });
});

describe('calling hours', () => {
  const day = { start: '08:00', end: '20:00' };
  const night = { start: '22:00', end: '06:00' };
  it.each([
    [null, null, '2026-11-21T03:00:00Z', true],
    [day, null, '2026-11-21T07:59:59Z', false],
    [day, null, '2026-11-21T08:00:00Z', true],
    [day, null, '2026-11-21T19:59:59Z', true],
    [day, null, '2026-11-21T20:00:00Z', false],
    [day, 'America/New_York', '2026-11-21T12:59:59Z', false],
    [day, 'America/New_York', '2026-11-21T13:00:00Z', true],
    // Summer time there: one hour earlier.
    [day, 'America/New_York', '2026-07-21T12:00:00Z', true],
    [day, 'Asia/Kolkata', '2026-11-21T02:30:00Z', true],
    [day, 'Nowhere/Atall', '2026-11-21T08:00:00Z', true],
    [night, null, '2026-11-21T21:59:59Z', false],
    [night, null, '2026-11-21T22:00:00Z', true],
    [night, null, '2026-11-21T23:00:00Z', true],
    [night, null, '2026-11-21T00:00:00Z', true],
    [night, null, '2026-11-21T05:59:00Z', true],
    [night, null, '2026-11-21T06:00:00Z', false],
    [{ start: '00:00', end: '24:00' }, null, '2026-11-21T23:59:59Z', true],
    [{ start: '09:00', end: '09:00' }, null, '2026-11-21T09:00:00Z', false],
  ] as const)('%o in %s at %s: %s', (hours, zone, at, expected) => {
    expect(isWithinCallingHours(hours, zone, Date.parse(at))).toBe(expected);
  });
  it('are made of times of day and time zones', () => {
    expect(['00:00', '23:59'].every((time) => isTimeOfDay(time, 'start'))).toBe(true);
    expect(['24:00', '7:00', '12:60', '12:00:00', 'noon', ''].some((time) => isTimeOfDay(time, 'start'))).toBe(false);
    expect([isTimeOfDay('24:00', 'end'), isTimeOfDay('08:00', 'end'), isTimeOfDay('24:01', 'end')]).toEqual([true, true, false]);
    expect([isTimeZone('Europe/Berlin'), isTimeZone('UTC'), isTimeZone('Mars/Olympus'), isTimeZone('')]).toEqual([true, true, false, false]);
  });
});

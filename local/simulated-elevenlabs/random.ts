/**
 * Chance that can be repeated: the same seed gives the same numbers. (mulberry32 over an FNV-1a hash of the seed's text)
 * @param seed any text, for instance `<seed of the simulator>:<number of the call>`
 * @returns a function that gives the next number, 0 <= x < 1; not fit for secrets
 */
export const seededRandom = (seed: string): (() => number) => {
  let state = 0x811c9dc5;
  for (let index = 0; index < seed.length; index++) state = Math.imul(state ^ seed.charCodeAt(index), 0x01000193);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
};

/** One of the choices, by chance. Throws RangeError for an empty list. */
export const oneOf = <Choice>(choices: readonly Choice[], random: () => number): Choice => {
  const chosen = choices[Math.floor(random() * choices.length)];
  if (chosen === undefined) throw new RangeError('there is nothing to choose from');
  return chosen;
};

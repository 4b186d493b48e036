import fc from 'fast-check';

/**
 * The same examples for every mutant, so that a run can be repeated; no longer than this for one property, since thousands of mutants
 * are each shown all that covers them; and what was found out is not made smaller.
 */
fc.configureGlobal({ seed: 1, endOnFailure: true });
fc.installGlobalPlugin(fc.interruptAfterTimeLimit(300));

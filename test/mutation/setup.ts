import fc from 'fast-check';

/** The same examples for every mutant, so that a run can be repeated; a mutant that was found out is not made smaller. */
fc.configureGlobal({ seed: 1, endOnFailure: true });

/** How routes are described for the OpenAPI document: answers, problems, bodies. */
import type { z } from 'zod';
import { Problem as ProblemSchema } from '../../core/protocol/rest.ts';

const Problem = ProblemSchema.openapi('Problem');

/** A JSON answer. */
export const answer = <T extends z.ZodType>(schema: T, description: string) => ({ description, content: { 'application/json': { schema } } });

/** A JSON body that has to be there. */
export const body = <T extends z.ZodType>(schema: T) => ({ required: true, content: { 'application/json': { schema } } });

/** Every failure has one form. */
export const otherwise = { default: { description: 'what went wrong', content: { 'application/problem+json': { schema: Problem } } } } as const;

/** Takes a bearer token. */
export const byToken = [{ bearer: [] }];

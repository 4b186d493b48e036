/** How routes are described for the OpenAPI document: answers, problems, bodies. */
import { z } from '@hono/zod-openapi';
import { Problem as ProblemSchema } from '../../core/protocol/rest.ts';

/**
 * The schema of an answer under a name of its own in the document. Made anew here: only a schema that is made after the describing
 * library was loaded can be given one.
 */
export const named = <Shape extends z.ZodRawShape>(name: string, schema: z.ZodObject<Shape>): z.ZodObject<Shape> => z.object(schema.shape).openapi(name);

const Problem = named('Problem', ProblemSchema);

/** A JSON answer. */
export const answer = <T extends z.ZodType>(schema: T, description: string) => ({ description, content: { 'application/json': { schema } } });

/** A JSON body that has to be there. */
export const body = <T extends z.ZodType>(schema: T) => ({ required: true, content: { 'application/json': { schema } } });

/** Every failure has one form. */
export const otherwise = { default: { description: 'what went wrong', content: { 'application/problem+json': { schema: Problem } } } } as const;

/** Takes a bearer token. */
export const byToken = [{ bearer: [] }];

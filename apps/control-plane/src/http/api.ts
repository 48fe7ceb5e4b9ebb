import { OpenAPIHono } from '@hono/zod-openapi';
import { AppError } from '@ascend/errors';
import { problemSchema } from '@ascend/protocol';
import type { z } from 'zod';
import { problemResponse } from './problem.ts';
import type { Role } from './roles.ts';

/** Who makes a call: a token and what it may do. */
export interface Principal {
  readonly tokenId: string;
  readonly name: string;
  readonly role: Role;
}

/** What middleware leaves for the routes. */
export interface ApiEnv {
  Variables: {
    principal: Principal;
    requestId: string;
    /** What the audit row names beside method and path; a route may set it. */
    auditSubject?: string;
  };
}

/** An API that routes are added to. */
export type Api = OpenAPIHono<ApiEnv>;

/** An empty API whose schema checks answer with a problem document that names each wrong field. */
export function createApi(): Api {
  return new OpenAPIHono<ApiEnv>({
    defaultHook: (result) => {
      if (result.success) return undefined;
      const errors = result.error.issues.map((issue) => ({
        field: issue.path.map(String).join('.') || result.target,
        message: issue.message,
      }));
      const list = errors.map((error) => `${error.field}: ${error.message}`).join('; ');
      const error = new AppError({
        code: 'API_INPUT_INVALID',
        message: `read ${result.target}: ${list}`,
        details: { fields: errors.map((item) => item.field) },
      });
      return problemResponse(error, { errors });
    },
  });
}

const problem = {
  description: 'Problem document (RFC 9457) with code, hint and evidence',
  content: { 'application/problem+json': { schema: problemSchema } },
} as const;

/** Responses of a route that answers 200 with JSON of one schema, or with a problem document. */
export function answers<S extends z.ZodType>(schema: S, description: string) {
  return {
    200: { description, content: { 'application/json': { schema } } },
    default: problem,
  } as const;
}

/** Responses of a route that creates something: 201. */
export function creates<S extends z.ZodType>(schema: S, description: string) {
  return {
    201: { description, content: { 'application/json': { schema } } },
    default: problem,
  } as const;
}

/** Responses of a route that leaves nothing to say: 204. */
export const answersNothing = { 204: { description: 'Done' }, default: problem } as const;

/** A required JSON body. */
export function body<S extends z.ZodType>(schema: S) {
  return { body: { required: true, content: { 'application/json': { schema } } } } as const;
}

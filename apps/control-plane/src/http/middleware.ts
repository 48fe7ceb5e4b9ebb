import type { MiddlewareHandler } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { HTTPException } from 'hono/http-exception';
import { AppError } from '@ascend/errors';
import { newId, type Clock, type Logger } from '@ascend/runtime';
import type { Metrics } from '../metrics.ts';
import type { Api, ApiEnv, Principal } from './api.ts';
import { explain, problemResponse } from './problem.ts';
import { requiredRole, roleCovers } from './roles.ts';

/** Largest request body, bytes. A plan of 64 disks is about 60 kB. */
const maxBodyBytes = 4 * 1024 * 1024;

/** What the request pipeline needs. */
export interface PipelineDeps {
  readonly logger: Logger;
  readonly clock: Clock;
  readonly metrics: Metrics;
  /** Who holds this token; null when it is unknown, expired or revoked. */
  authenticate(token: string): Promise<Principal | null>;
  /** Writes one audit row. Called after the answer of each mutating call is known. */
  audit(row: {
    readonly actor: string;
    readonly action: string;
    readonly subject: string;
    readonly requestId: string;
    readonly status: number;
  }): Promise<void>;
}

function logged(deps: PipelineDeps): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    const startedAt = deps.clock.now();
    c.set('requestId', newId(startedAt));
    await next();
    c.res.headers.set('x-request-id', c.get('requestId'));
    deps.metrics.count('ascend_http_requests_total', { method: c.req.method, status: String(c.res.status) });
    deps.logger.debug('request answered', {
      requestId: c.get('requestId'),
      method: c.req.method,
      path: c.req.path,
      status: c.res.status,
      durationMs: deps.clock.now() - startedAt,
    });
  };
}

function bearerOf(header: string | undefined): string | null {
  const match = /^Bearer +(\S+)$/i.exec(header ?? '');
  return match?.[1] ?? null;
}

function authorised(deps: PipelineDeps): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    const needed = requiredRole(c.req.method, c.req.path);
    if (needed === null) return next();
    const token = bearerOf(c.req.header('authorization'));
    const principal = token === null ? null : await deps.authenticate(token);
    if (principal === null) {
      const error = new AppError({
        code: 'API_TOKEN_INVALID',
        message: `authorise ${c.req.method} ${c.req.path}: ${token === null ? 'no bearer token' : 'token is not valid'}`,
      });
      return problemResponse(error, {}, { 'www-authenticate': 'Bearer realm="ascend"' });
    }
    if (!roleCovers(principal.role, needed)) {
      return problemResponse(
        new AppError({
          code: 'API_ROLE_INSUFFICIENT',
          message: `authorise ${c.req.method} ${c.req.path}: role ${principal.role} given, ${needed} needed`,
          details: { role: principal.role, needed },
        }),
      );
    }
    c.set('principal', principal);
    return next();
  };
}

function audited(deps: PipelineDeps): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    await next();
    if (['GET', 'HEAD', 'OPTIONS'].includes(c.req.method)) return;
    const row = {
      actor: c.get('principal')?.name ?? 'anonymous',
      action: `${c.req.method} ${c.req.path}`,
      subject: c.get('auditSubject') ?? c.req.path,
      requestId: c.get('requestId'),
      status: c.res.status,
    };
    try {
      await deps.audit(row);
    } catch (error) {
      // The call has been made: its answer stands, and the log keeps what the table could not.
      deps.logger.error('audit row not stored', { ...row, error });
    }
  };
}

const limited = bodyLimit({
  maxSize: maxBodyBytes,
  onError: (c) =>
    problemResponse(
      new AppError({
        code: 'API_BODY_TOO_LARGE',
        message: `read body of ${c.req.method} ${c.req.path}: more than ${maxBodyBytes} bytes`,
        details: { limitBytes: maxBodyBytes },
      }),
    ),
});

/** Puts request ids, logging, metrics, authentication, roles, audit and the size limit in front of every route. */
export function usePipeline(api: Api, deps: PipelineDeps): void {
  api.use(logged(deps));
  api.use(authorised(deps));
  api.use(audited(deps));
  api.use(limited);
}

function fromHttpException(exception: HTTPException, operation: string): AppError {
  if (exception.status === 415) {
    const message = `${operation}: content-type must be application/json`;
    return new AppError({ code: 'API_MEDIA_TYPE_UNSUPPORTED', message, cause: exception });
  }
  const message = `${operation}: body is not JSON`;
  return new AppError({ code: 'API_BODY_MALFORMED', message, cause: exception });
}

/** Turns whatever a route throws, and unknown paths and methods, into problem documents. Call after all routes are added. */
export function answerErrors(api: Api, logger: Logger): void {
  api.onError((thrown, c) => {
    const operation = `${c.req.method} ${c.req.path}`;
    if (thrown instanceof HTTPException) return problemResponse(fromHttpException(thrown, operation));
    const { error, extras } = explain(thrown, operation);
    if (error.category !== 'internal') return problemResponse(error, extras);
    const requestId = c.get('requestId');
    logger.error('request failed', { requestId, operation, error });
    // What broke inside may hold anything; the caller gets the id of the log line instead.
    const message = `${operation}: internal error, see request ${requestId} in the log`;
    return problemResponse(new AppError({ code: error.code, message, details: { requestId } }));
  });
  const methodsOf = methodTable(api);
  api.notFound((c) => {
    const operation = `${c.req.method} ${c.req.path}`;
    const methods = methodsOf(c.req.path);
    if (methods.length === 0) {
      return problemResponse(
        new AppError({ code: 'API_ROUTE_UNKNOWN', message: `${operation}: no such resource` }),
      );
    }
    const allow = methods.join(', ');
    const error = new AppError({
      code: 'API_METHOD_UNSUPPORTED',
      message: `${operation}: allowed are ${allow}`,
      details: { allow },
    });
    return problemResponse(error, {}, { allow });
  });
}

/** Which methods the routes know for a path. */
function methodTable(api: Api): (path: string) => readonly string[] {
  const known = api.routes
    .filter((route) => route.method !== 'ALL')
    .map((route) => ({
      method: route.method,
      pattern: new RegExp(`^${route.path.replaceAll(/:[a-z_]+/g, '[^/]+')}$`),
    }));
  return (path) => [
    ...new Set(known.filter((route) => route.pattern.test(path)).map((route) => route.method)),
  ];
}

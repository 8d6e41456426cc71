import { z } from 'zod'
import { defineRoute, type Route } from '../route.ts'

/** GET /api/v1 itself: the list of the routes. */
export const list = (routes: readonly Route[]): Route =>
  defineRoute({
    method: 'GET',
    path: '/',
    scope: 'read',
    summary: 'This list',
    description: 'Every route with its method, its path and who may call it.',
    errors: [],
    response: z.strictObject({
      routes: z.array(
        z.strictObject({
          method: z.string(),
          path: z.string().describe('Parameters in braces'),
          scope: z.enum(['read', 'write', 'admin']),
          summary: z.string(),
          description: z.string(),
        }),
      ),
    }),
    handler: () => ({
      routes: routes.map(({ method, path, scope, summary, description }) => ({
        method,
        path: `/api/v1${path.replace(/:(\w+)/g, '{$1}')}`,
        scope,
        summary,
        description,
      })),
    }),
  })

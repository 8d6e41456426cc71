import { z } from 'zod'
import { openApiDocument } from '../openapi.ts'
import { defineRoute, type Route } from '../route.ts'

/** GET /api/v1/openapi.json: the document of the other routes, and of itself. */
export const openapi = (routes: readonly Route[]): Route => {
  const route: Route = defineRoute({
    method: 'GET',
    path: '/openapi.json',
    scope: 'read',
    summary: 'This API as an OpenAPI 3.1 document',
    description: 'For generators of clients and for people with tools; /api/v1/docs shows it as a page.',
    errors: [],
    response: z
      .looseObject({ openapi: z.string(), info: z.looseObject({}), paths: z.record(z.string(), z.looseObject({})) })
      .describe('An OpenAPI document'),
    handler: ({ deps }) => {
      // Made anew each time: its examples are of now.
      const document = openApiDocument([...routes, route], deps.version)
      return { ...document, info: { ...document.info }, paths: { ...document.paths } }
    },
  })
  return route
}
